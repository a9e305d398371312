"""Reading one topic: pages, Server-Sent Events, NDJSON, WebSocket; resuming and filters."""

import contextlib
import json
import threading
import time

import pytest

from server import receive


def take(stream, count):
    return [next(stream) for _ in range(count)]


def streams(server, topic, **params):
    """The same stream over each transport, as (name, iterator of messages)."""
    path = f"/v1/topics/{topic}"
    query = "&".join(f"{name}={value}" for name, value in params.items())
    with server.sse(path, params) as sse:
        yield "sse", (message for _, message, _ in sse)
    with server.ndjson(path, params) as ndjson:
        yield "ndjson", ndjson
    with server.websocket(f"{path}?{query}") as socket:
        yield "websocket", iter(lambda: receive(socket), None)


def test_every_transport_begins_with_its_outcome_and_goes_on(server, topic):
    epoch = server.publish(topic, "before")["epoch"]
    for number, (name, stream) in enumerate(streams(server, topic), start=1):
        begun = next(stream)
        expected = {"type": "subscribed", "topic": topic, "epoch": epoch, "offset": number}
        assert begun == expected | {"recovered": True, "missed": 0}, name
        server.publish(topic, {"live": name})
        event = next(stream)
        assert (event["offset"], event["data"]) == (number + 1, {"live": name}), name


def test_from_oldest_replays_on_every_transport(server, topic):
    server.publish(topic, 1, 2, 3)
    for name, stream in streams(server, topic, **{"from": "oldest"}):
        begun, *events = take(stream, 4)
        assert begun["offset"] == 0 and [event["data"] for event in events] == [1, 2, 3], name


@pytest.mark.parametrize("form", ["{epoch}:2", "2"])
def test_after_resumes_on_every_transport(server, topic, form):
    epoch = server.publish(topic, 1, 2, 3)["epoch"]
    for name, stream in streams(server, topic, after=form.format(epoch=epoch)):
        begun, event = take(stream, 2)
        assert begun["recovered"] is True and begun["offset"] == 2 and event["data"] == 3, name


def test_sse_ids_resume(server, topic):
    server.publish(topic, 1, 2, 3)
    path = f"/v1/topics/{topic}"
    with server.sse(path, {"from": "oldest"}) as stream:
        assert next(stream)[0] == "subscribed"
        last = take(stream, 2)[-1][2]
    with server.sse(path, headers={"Last-Event-ID": last}) as stream:
        assert next(stream)[1]["recovered"] is True and next(stream)[1]["data"] == 3
    with server.sse(path, {"Last-Event-ID": last}) as stream:
        next(stream)
        assert next(stream)[1]["data"] == 3


def test_a_position_of_another_life_is_told(server, topic):
    epoch = server.publish(topic, 1, 2)["epoch"]
    for name, stream in streams(server, topic, after=f"{epoch + 1}:1"):
        begun, event = take(stream, 2)
        assert begun["recovered"] is False and begun["missed"] is None and event["data"] == 1, name


def test_since_begins_at_a_time(server, topic):
    server.publish(topic, "old")
    time.sleep(0.05)
    since = int(time.time() * 1000)
    time.sleep(0.05)
    server.publish(topic, "new")
    for name, stream in streams(server, topic, since=since):
        assert take(stream, 2)[1]["data"] == "new", name


def test_sse_has_its_headers_and_survives_line_breaks(server, topic):
    body = '{"a":\n  [1,\r\n 2]}'
    server.http.post(f"/v1/topics/{topic}", content=body, headers={"Content-Type": "application/json"})
    for name, stream in streams(server, topic, **{"from": "oldest"}):
        assert take(stream, 2)[1]["data"] == {"a": [1, 2]}, name
    with server.http.stream("GET", f"/v1/topics/{topic}", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"].startswith("no-")
        assert answer.headers["x-accel-buffering"] == "no"


def test_pages_walk_through_history(server, topic):
    epoch = server.publish(topic, *range(1, 8))["epoch"]
    path = f"/v1/topics/{topic}"
    first = server.http.get(path, params={"limit": 4}).json()
    assert (first["oldest"], first["newest"], first["recovered"], first["missed"]) == (1, 7, True, 0)
    assert [event["data"] for event in first["events"]] == [1, 2, 3, 4] and first["next"] == f"{epoch}:4"
    second = server.http.get(path, params={"after": first["next"]}).json()
    assert [event["data"] for event in second["events"]] == [5, 6, 7] and second["next"] == f"{epoch}:7"
    third = server.http.get(path, params={"after": second["next"]}).json()
    assert third["events"] == [] and third["next"] == second["next"]


def test_a_page_of_a_new_topic_is_empty(server, topic):
    page = server.http.get(f"/v1/topics/{topic}").json()
    assert page["events"] == [] and page["newest"] == 0 and page["oldest"] == 1


def test_long_poll_waits_for_the_first_event(server, topic):
    after = server.publish(topic, 1)["offset"]
    timer = threading.Timer(0.5, lambda: server.publish(topic, "awaited"))
    begun = time.monotonic()
    timer.start()
    page = server.http.get(f"/v1/topics/{topic}", params={"after": after, "wait": 5}).json()
    timer.join()
    assert [event["data"] for event in page["events"]] == ["awaited"]
    assert 0.4 < time.monotonic() - begun < 4


def test_long_poll_ends_empty(server, topic):
    begun = time.monotonic()
    page = server.http.get(f"/v1/topics/{topic}", params={"wait": 1}).json()
    assert page["events"] == [] and 0.9 < time.monotonic() - begun < 4


FILTERS = [
    ({"eq": ["event", "b"]}, [2]),
    ({"gt": ["data.n", 1]}, [2, 3]),
    ({"in": ["data.n", [1, 3]]}, [1, 3]),
    ({"not": {"exists": "key"}}, [1, 3]),
    ({"prefix": ["key", "us"]}, [2]),
    ({"glob": ["data.tool", "git.*"]}, [3]),
    ({"eq": ["tags", "hot"]}, [1]),
    ({"or": [{"lt": ["data.n", 2]}, {"eq": ["data.list.0", "x"]}]}, [1, 3]),
    ({"and": [{"gt": ["data.n", 1]}, {"eq": ["data.tool", None]}]}, []),
]


@pytest.mark.parametrize("tree, expected", FILTERS, ids=[json.dumps(tree) for tree, _ in FILTERS])
def test_filters_select(server, topic, tree, expected):
    server.publish(
        topic,
        {"data": {"n": 1}, "tags": ["cold", "hot"]},
        {"data": {"n": 2}, "type": "b", "key": "user-1"},
        {"data": {"n": 3, "tool": "git.push", "list": ["x"]}},
        {"data": {"n": 0, "end": True}, "type": "end", "key": "end", "tags": ["end"]},
    )
    tree = json.dumps({"or": [tree, {"eq": ["event", "end"]}]})
    path = f"/v1/topics/{topic}"
    with server.sse(path, {"from": "oldest", "filter": tree}) as stream:
        next(stream)
        got = [message["data"]["n"] for _, message, _ in take(stream, len(expected) + 1)]
    assert got == [*expected, 0]
    page = server.http.get(path, params={"filter": tree}).json()
    assert [event["data"]["n"] for event in page["events"]] == [*expected, 0]


def test_many_readers_get_the_same(server, topic):
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(server.websocket(f"/v1/topics/{topic}")) for _ in range(20)]
        for socket in sockets:
            receive(socket)
        server.publish(topic, *range(10))
        for socket in sockets:
            assert [receive(socket)["data"] for _ in range(10)] == list(range(10))
