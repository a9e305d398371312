"""Document 001: the `events` protocol."""

import json
import shutil
import subprocess
import sys
from urllib.parse import quote

import pytest
from snippet import snippet

from proxy import Proxy

TOPIC = "events.session-123"
EVENT = {"event_id": "evt-1", "event_type": "tool_call", "tool_name": "Edit", "session_id": "session-123"}
FIELDS = [
    "event_id", "agent_id", "event_type", "timestamp", "tool_name", "input_summary", "output_summary",
    "session_id", "status", "model", "parent_event_id", "execution_duration_seconds", "cost_tokens", "feature_id",
]  # fmt: skip


def event(number, **members):
    return EVENT | {"event_id": f"evt-{number}"} | members


def publish_at_once(server, *events):
    """In one request, so that they come to readers together."""
    body = "\n".join(json.dumps(one) for one in events)
    answer = server.http.post(f"/v1/topics/{TOPIC}", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.json()["published"] == len(events), answer.text


def batches(client, count):
    """Takes printed batches until so many events have come; returns their lines."""
    lines = []
    while len(lines) < count:
        said = client.line()
        assert said.startswith("Event batch: "), said
        lines += client.take(int(said.split()[2]))
    return lines


def test_batches(start, play):
    server = start()
    client = play(server, "events_batches")
    server.await_readers(TOPIC)
    server.publish(TOPIC, event(1))
    assert client.take(2) == ["Event batch: 1 events", "  - tool_call: Edit"]
    publish_at_once(server, *(event(n, tool_name=f"tool-{n}") for n in range(2, 22)))
    assert batches(client, 20) == [f"  - tool_call: tool-{n}" for n in range(2, 22)]


def test_the_cost_monitor_alerts_to_what_is_dear(start, play):
    server = start()
    given = 'class EventSubscriptionFilter:\n    def __init__(self, **fields): show("filter", fields)\n'
    client = play(server, "events_cost_monitor", before=given + 'def send_alert(text): show("alert", text)')
    assert client.shown("filter") == {"cost_threshold_tokens": 5000}
    server.await_readers(TOPIC)
    server.publish(TOPIC, *(event(n, cost_tokens=cost) for n, cost in enumerate([125, 5000, 5001, 9000])))
    assert [client.shown("alert") for _ in range(2)] == [f"High cost event: {n} tokens" for n in (5001, 9000)]


def test_batches_are_processed_as_a_whole(start, play):
    server = start()
    reading = """
async def process():
    async with websockets.connect(uri) as socket:
        while True:
            batch = json.loads(await socket.recv())
            exec(text, {"batch": batch, "process_event": lambda event: show("event", event)})
await process()
"""
    given = f"import json, websockets\nuri = {address(server)!r}\ntext = {snippet('python/events_whole_batches.py', server)!r}"
    client = play(server, before=given, after=reading)
    server.await_readers(TOPIC)
    publish_at_once(server, *map(event, range(5)))
    got = [client.shown("event") for _ in range(5)]
    assert [list(one) for one in got] == [FIELDS] * 5
    assert [one["event_id"] for one in got] == [f"evt-{n}" for n in range(5)]


def test_bottlenecks_are_found(start, play):
    server = start()
    reading = """
async def handle():
    async with websockets.connect(uri) as socket:
        while True:
            for event in json.loads(await socket.recv())["events"]:
                exec(text, {"event": event, "EventSubscriptionFilter": dict})
await handle()
"""
    given = f"import json, websockets\nuri = {address(server)!r}\ntext = {snippet('python/events_bottlenecks.py', server)!r}"
    client = play(server, before=given, after=reading)
    server.await_readers(TOPIC)
    slow = {"tool_name": "Bash", "execution_duration_seconds": 7.25}
    server.publish(TOPIC, event(1, execution_duration_seconds=0.3), event(2), event(3, **slow))
    assert client.line() == "Bottleneck: Bash took 7.25s"


def test_all_events_are_gathered_for_analysis(start, play):
    server = start()
    given = f"""
import json, websockets
session_id = "session-123"
async def stream_events(session_id):
    async with websockets.connect({address(server)!r}) as socket:
        count = 0
        while count < 3:
            yield (batch := json.loads(await socket.recv()))
            count += batch["count"]
def analyze_bottlenecks(events): show("analyze", [event["event_id"] for event in events])
"""
    client = play(server, "events_all_for_analysis", before=given)
    server.await_readers(TOPIC)
    server.publish(TOPIC, event(1))
    publish_at_once(server, event(2), event(3))
    assert client.shown("analyze") == ["evt-1", "evt-2", "evt-3"]


def test_the_reconnect_loop_comes_back_after_a_cut(start, play):
    server = start()
    proxy = Proxy(server)
    client = reconnecting(play, server, proxy.url)
    for cut in range(2):
        server.await_readers(TOPIC)
        server.publish(TOPIC, event(cut, tool_name=f"after-{cut}"))
        assert client.take(2) == ["Event batch: 1 events", f"  - tool_call: after-{cut}"]
        proxy.cut()
        server.await_readers(TOPIC, 0)
        # The loop resets its count only when the stream ends without an exception.
        assert client.line() == f"Reconnecting in {2 ** (cut + 1)}s (attempt {cut + 1})"
    proxy.close()


def test_the_reconnect_loop_comes_back_after_a_restart(start, play):
    server = start()
    client = reconnecting(play, server, server.url)
    server.await_readers(TOPIC)
    server.process.kill()
    assert client.line() == "Reconnecting in 2s (attempt 1)"
    server.close()
    server = start(listen=server.url.removeprefix("http://"))
    server.await_readers(TOPIC)
    server.publish(TOPIC, event(1))
    assert client.take(2) == ["Event batch: 1 events", "  - tool_call: Edit"]


def reconnecting(play, server, url):
    """The document's loop around the document's client, through `url`."""
    batches = snippet("python/events_batches.py", server).replace(server.url.removeprefix("http://"), url.removeprefix("http://"))
    # The client's own start stands behind the loop's.
    before = batches.replace("asyncio.run(", "#")
    return play(server, "events_reconnect_loop", before=before, after='asyncio.run(reconnect_loop("session-123"))')


def address(server):
    return server.url.replace("http", "ws") + "/ws/events/session-123"


# Each filter of the document: how the snippet is called, and which of the events below pass it.
EVENTS = [
    event(0, event_type="tool_call", tool_name="Edit", cost_tokens=125, status="completed", feature_id="feat-456"),
    event(1, event_type="tool_call", tool_name="Bash", cost_tokens=1000, status="timeout", feature_id="feat-123"),
    event(2, event_type="completion", tool_name="Read", cost_tokens=20_000, status="completed"),
    event(3, event_type="error", tool_name="Edit", cost_tokens=999, status="error"),
    event(4, event_type="error", tool_name="Write", cost_tokens=5000, status="completed"),
    event(5, event_type="tool_call", tool_name="Write", cost_tokens=10_000, status="completed"),
]
FILTERS = {
    "types": [0, 1, 2, 3, 4, 5],
    "session": [0, 1, 2, 3, 4, 5],
    "tools": [0, 1, 2, 3],
    "cost": [1, 5],
    "statuses": [1, 3],
    "features": [0, 1],
    "errors": [3],
    "alerts": [2, 5],
}


class EventSubscriptionFilter(dict):
    """What the original's class is on the wire."""


def written(name, monkeypatch, server):
    """The filters that a snippet makes, in order."""
    made = []

    def remember(**fields):
        made.append(EventSubscriptionFilter(fields))
        return made[-1]

    module = type(sys)("htmlgraph.api.websocket")
    module.EventSubscriptionFilter = remember
    for part in ("htmlgraph", "htmlgraph.api"):
        monkeypatch.setitem(sys.modules, part, type(sys)(part))
    monkeypatch.setitem(sys.modules, "htmlgraph.api.websocket", module)
    exec(snippet(f"python/events_filter_{name}.py", server), {"EventSubscriptionFilter": remember})
    return made


def passing(server, condition):
    """Which of EVENTS come to who filters so."""
    last = event(99, event_type=(condition.get("event_types") or ["tool_call"])[0])
    last |= {"tool_name": "Edit", "cost_tokens": 10**6, "status": "error", "feature_id": "feat-123"}
    with server.websocket(f"/ws/events/session-123?filter={quote(json.dumps(condition))}") as socket:
        server.await_readers(TOPIC)
        publish_at_once(server, *EVENTS, last)
        got = []
        while "evt-99" not in got:
            got += [one["event_id"] for one in json.loads(socket.recv(timeout=10))["events"]]
    server.await_readers(TOPIC, 0)
    return [int(name.removeprefix("evt-")) for name in got[:-1]]


@pytest.mark.parametrize("name", FILTERS)
def test_the_filters_of_the_document(server, monkeypatch, name):
    (condition,) = written(name, monkeypatch, server)
    assert passing(server, condition) == FILTERS[name]


def test_a_good_filter_and_none(server, monkeypatch):
    good, none = written("good_and_none", monkeypatch, server)
    assert passing(server, good) == [4] and passing(server, none) == [0, 1, 2, 3, 4, 5]


def shell(server, name):
    """What the commands of a snippet print, as JSON values."""
    if not shutil.which("curl"):
        pytest.skip("there is no curl")
    done = subprocess.run(["sh", "-c", snippet(f"shell/{name}.sh", server)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    text, answers = done.stdout.strip(), []
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        answers.append(value)
        text = text[end:].lstrip()
    return answers


def test_the_metrics_of_the_dashboard(start):
    server = start()
    with server.websocket("/ws/events/session-123") as socket:
        server.await_readers(TOPIC)
        publish_at_once(server, *map(event, range(3)))
        got = 0
        while got < 3:
            got += json.loads(socket.recv(timeout=10))["count"]
        (metrics,) = shell(server, "events_metrics")
    assert list(metrics) == ["active_sessions", "total_connected_clients", "total_events_broadcast", "total_bytes_sent", "sessions"]
    session = metrics["sessions"]["session-123"]
    assert list(session) == ["connected_clients", "total_events_sent", "total_bytes_sent", "uptime_seconds"]
    assert (metrics["active_sessions"], metrics["total_connected_clients"]) == (1, 1)
    assert (session["connected_clients"], session["total_events_sent"]) == (1, 3)


def test_the_commands_of_troubleshooting(start):
    server = start()
    server.publish(TOPIC, event(1), event(2))
    (status,) = shell(server, "events_status")
    assert isinstance(status, dict)
    sessions, events = shell(server, "events_sessions")
    assert "session-123" in json.dumps(sessions)
    assert [one["event_id"] for one in events["events"]] == ["evt-1", "evt-2"]
