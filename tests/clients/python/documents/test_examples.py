"""The messages that the documents show: what a client sends is understood, what a server sends looks so here."""

import json
import re

import pytest
from server import PATIENCE, ROOT, receive
from snippet import BACKEND, FOLDER, TOKEN, filled
from websockets.sync.client import connect

ANALYSIS = "analysis.analysis-456"
ANALYSIS_PATH = "/api/v1/ws/analysis/analysis-456"


def lines(name):
    """The lines of an example, without the one that says where it is from."""
    return (FOLDER / f"messages/{name}.txt").read_text().split("\n", 1)[1].strip().splitlines()


def example(name):
    return json.loads("\n".join(lines(name)).replace("{ ... }", "{}").replace("{...}", "{}"))


def test_stream_multiplexed(start):
    """Line by line; the events are those that are published when their turn comes. `timestamp` is in every envelope of ours."""
    server = start()
    events = {
        "message": {"message_id": "m", "channel_id": "c", "author_id": "a", "content": "", "direction": "incoming"},
        "telemetry": {"metric_name": "cpu", "value": 1, "unit": None, "tags": {}},
    }
    with server.websocket("/v1/stream/all") as socket:
        assert receive(socket)["type"] == "auth"
        for line in lines("stream_multiplexed"):
            way, text = line.split(" ", 1)
            if way == "→":
                socket.send(text)
                continue
            expected = json.loads(text.replace("{...}", "null"))
            if expected["data"] is None:
                expected["data"] = events[expected["type"]]
                server.publish(f"stream.{expected['type']}", expected["data"])
            got = receive(socket)
            assert list(got) == ["type", "timestamp", "data"]
            assert (got["type"], got["data"]) == (expected["type"], expected["data"])


def test_events_batch(start):
    server, expected = start(), example("events_batch")
    with server.websocket("/ws/events/session-123") as socket:
        server.await_readers("events.session-123")
        server.publish("events.session-123", expected["events"][0])
        text = socket.recv(timeout=PATIENCE)
    got = json.loads(text)
    assert list(got) == list(expected) and got["count"] == 1
    assert json.dumps(expected["events"][0], separators=(",", ":")) in text


def test_events_single(start):
    server, expected = start(), example("events_single")
    with server.websocket("/ws/events/session-123?batch_size=1") as socket:
        server.await_readers("events.session-123")
        server.publish("events.session-123", {name: value for name, value in expected.items() if name != "type"})
        got = receive(socket)
    assert list(got.items())[:3] == list(expected.items())[:3]
    assert {name: got[name] for name in expected} == expected


def test_events_metrics(start):
    server, expected = start(), example("events_metrics")
    with server.websocket("/ws/events/session-123"):
        server.await_readers("events.session-123")
        got = server.http.get("/api/websocket-metrics").json()
    assert shape(got) == shape(expected)


def shape(value):
    """The members of an object and of what is in it, and whether values are numbers."""
    if isinstance(value, dict):
        return [(name, shape(member)) for name, member in value.items()]
    return "number" if isinstance(value, (int, float)) else type(value)


def test_channels_messages(guarded):
    """The handshake as the document has it, with the headers that every client adds, and the two requests."""
    server = guarded()
    request, *headers = filled("\n".join(lines("channels_upgrade")), server).splitlines()
    path = request.removeprefix("GET ")
    given = dict(line.split(": ") for line in headers)
    assert given.pop("Upgrade") == "websocket" and given == {"Authorization": f"Bearer {TOKEN}"}
    with connect(server.url.replace("http", "ws") + path, additional_headers=given, proxy=None) as socket:
        socket.send("\n".join(lines("channels_subscribe")))
        answer = until(socket, "subscribed")
        assert answer == {"type": "subscribed", "channels": example("channels_subscribe")["channels"], "denied": []}
        server.publish("channels.sessions", {"type": "session.started", "data": {"session_id": "s"}})
        assert receive(socket)["type"] == "session.started"
        socket.send("\n".join(lines("channels_unsubscribe")))
        assert receive(socket) == {"type": "unsubscribed", "channels": ["sessions"]}


def until(socket, kind):
    while (message := receive(socket))["type"] != kind:
        assert message["type"] == "auth_success", message
    return message


@pytest.fixture
def analysis(start):
    """A server, and a client of the documents' analysis."""
    server = start()
    with server.websocket(ANALYSIS_PATH) as socket:
        server.await_readers(ANALYSIS)
        yield server, socket


def test_analysis_agent_started(analysis):
    server, socket = analysis
    expected = example("analysis_agent_started")
    server.publish(ANALYSIS, *({"event_type": "odd", "data": n} for n in range(1, expected["sequence"])))
    server.publish(ANALYSIS, expected)
    got = [receive(socket) for _ in range(expected["sequence"])][-1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", got["timestamp"])
    assert list(got.items()) == list((expected | {"timestamp": got["timestamp"]}).items())


@pytest.mark.parametrize("name", ["agent_thinking", "debate_convergence", "progress_update"])
def test_analysis_events(analysis, name):
    server, socket = analysis
    expected = example(f"analysis_{name}")
    server.publish(ANALYSIS, expected)
    got = receive(socket)
    assert (got["event_type"], got["data"], got["sequence"]) == (expected["event_type"], expected["data"], 1)


def test_analysis_progress_that_is_published_counts(analysis):
    server, socket = analysis
    expected = example("analysis_progress_update")["data"]
    server.publish(ANALYSIS, example("analysis_progress_update"))
    receive(socket)
    socket.send("\n".join(lines("analysis_progress_request")))
    got = receive(socket)
    assert "sequence" not in got and list(got["data"]) == list(expected)
    same = list(expected)[: list(expected).index("estimated_time_remaining_seconds")]  # times are the server's
    assert {name: got["data"][name] for name in same} == {name: expected[name] for name in same}


def test_analysis_ping(analysis):
    _, socket = analysis
    sent, expected = [json.loads(line) for line in lines("analysis_ping") if line.startswith("{")]
    socket.send(json.dumps(sent))
    got = receive(socket)
    assert list(got) == list(expected) and got["type"] == expected["type"]


def test_analysis_requests(analysis):
    server, _ = analysis
    server.publish(ANALYSIS, example("analysis_agent_started"))
    status = server.http.get(f"{ANALYSIS_PATH}/status").json()
    assert list(status) == list(example("analysis_status"))
    assert list(status["progress"]) == list(example("analysis_progress_update")["data"])
    assert (status["connections"], status["buffer_size"]) == (1, 1)
    stats = server.http.get("/api/v1/ws/stats").json()
    assert shape(stats) == shape(example("analysis_stats"))


def test_nothing_is_left_out():
    """The table of the README has every snippet once, and each is played where it says."""
    table = re.findall(r"\| `(\w+/[\w.]+)` \| `([\w./]+)` \|", (FOLDER / "README.md").read_text())
    here = [f"{path.parent.name}/{path.name}" for path in FOLDER.glob("*/*")]
    assert sorted(name for name, _ in table) == sorted(here)
    for name, test in table:
        folder = ROOT / ("tests/clients/node/lib" if test.endswith(".mjs") else "tests/clients/python/documents")
        text = (folder / test).read_text()
        stem = name.split("/")[1].split(".")[0]
        assert any(re.search(rf"\b{part}\b", text) for part in parts(stem)), f"{test} does not play {name}"


def parts(stem):
    """How tests name a snippet: in full, or by what is left of the name of its protocol, and of its kind."""
    words = stem.split("_")
    return [stem, "_".join(words[1:])] + (["_".join(words[2:])] if words[1] in ("filter", "publish") else [])


CHAT = '[respond]\nagent = "script"\n'


def test_chat(guarded):
    """The messages of the client are understood as they are; those of the server have the document's members, in its order."""
    server = guarded(CHAT, "--test-echo")
    with server.websocket("/ws/chat") as socket:
        send = lambda message: socket.send(json.dumps(message))
        send(example("chat_message"))
        assert list(receive(socket)) == list(example("chat_error"))
        send(example("chat_auth"))
        assert receive(socket) == example("chat_auth_error")
        send(example("chat_auth") | {"token": TOKEN})
        success, wanted = receive(socket), example("chat_auth_success")
        assert list(success) == list(wanted) and list(success["user"]) == list(wanted["user"])
        assert success["message"] == wanted["message"]
        send(example("chat_message") | {"message": "word or phrase"})
        got = []
        while not got or got[-1]["type"] != "complete":
            got.append(receive(socket))
    by_type = {message["type"]: message for message in got}
    for kind in ("progress", "token"):
        wanted = example(f"chat_{kind}")
        assert list(by_type[kind])[: len(wanted)] == list(wanted)
    assert example("chat_progress").items() <= got[2].items()
    complete, wanted = by_type["complete"], example("chat_complete")
    assert list(complete)[: len(wanted)] == list(wanted)
    assert list(complete["metadata"]) == list(wanted["metadata"])
    assert (complete["response"], complete["session_id"]) == ("word or phrase", "optional-session-id")


def test_channels_start_stream(guarded):
    """Sent as it stands, with the headers that the document leaves out."""
    server, (request, *rest) = guarded(), lines("channels_start_stream")
    headers, body = "\n".join(rest).split("\n\n")
    method, path = request.split()
    given = dict(line.split(": ") for line in headers.splitlines()) | {"Authorization": f"Bearer {TOKEN}"}
    with server.http.stream(method, path, content=body, headers=given) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        events = [line.removeprefix("event: ") for line in answer.iter_lines() if line.startswith("event: ")]
    assert events[0] == "step" and events[-1] == "done"


def test_channels_sse_events(guarded):
    """Those that an agent says leave as they are shown; positions are ours."""
    server = guarded()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    opened = server.http.post("/v1/sessions", json={"agent_id": "a", "session_id": "sess_123"}, headers=headers)
    assert opened.status_code == 201
    blocks = [block.splitlines() for block in "\n".join(lines("channels_sse_events")).replace("{...}", "{}").split("\n\n")]
    wanted = [(event.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for event, data in blocks]
    for event, data in wanted:
        server.publish("sessions.client.sess_123", {"type": event, "data": data})
    with server.sse("/v1/sessions/sess_123/stream", headers=headers) as got:
        for position, (event, data) in enumerate(wanted, 1):
            assert next(got) == (event, data | {"position": position}, str(position))
