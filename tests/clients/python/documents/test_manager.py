"""Document 001: the snippets that set up the original's server within its process, and ask it how it does."""

import contextlib
import json
import sqlite3

import pytest
import websockets
from server import PATIENCE, receive
from snippet import snippet
from standins import MANAGER, stand_in

pytestmark = pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
TOPIC = "events.session-123"
EVENT = {"event_type": "tool_call", "tool_name": "Edit"}
PATH = "/ws/events/session-123"
DATABASE = "/path/to/htmlgraph.db"


def settings(play, server, name, given=""):
    """What a snippet sets."""
    client = play(server, name, before=stand_in(MANAGER, server) + given, after='show("settings", vars(manager))')
    return client.shown("settings")


def events(**members):
    """The same as settings of ours. Times are whole numbers of milliseconds here."""
    lines = [f"{name} = {int(value) if isinstance(value, float) else repr(value)}" for name, value in members.items()]
    return "\n".join(["[events]", *lines, ""])


def fill(server, count):
    """Opens so many clients, and says how one more is refused."""
    with contextlib.ExitStack() as clients:
        for _ in range(count):
            clients.enter_context(server.websocket(PATH))
        server.await_readers(TOPIC, count)
        with server.websocket(PATH) as another, pytest.raises(websockets.ConnectionClosed) as refused:
            receive(another)
    return refused.value.rcvd.code, refused.value.rcvd.reason


def batch_sizes(socket, count):
    sizes = []
    while sum(sizes) < count:
        sizes.append(receive(socket)["count"])
    return sizes


def publish_at_once(server, count):
    body = '{"event_type":"tool_call"}\n' * count
    answer = server.http.post(f"/v1/topics/{TOPIC}", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.json()["published"] == count, answer.text


def test_the_server_of_the_document(start, play, tmp_path):
    made = settings(play, start(), "events_server_configuration")
    assert (made["db_path"], made["max_clients_per_session"]) == (DATABASE, 10)
    database = tmp_path / "htmlgraph.db"
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE agent_events (event_id TEXT PRIMARY KEY, event_type TEXT, session_id TEXT, timestamp TEXT)")
    server = start(events(**made | {"db_path": str(database)}))
    assert fill(server, 10) == (1008, "Session client limit reached")
    server.await_readers(TOPIC, 0)
    with server.websocket(PATH) as socket:
        server.await_readers(TOPIC)
        with sqlite3.connect(database) as db:
            db.execute("INSERT INTO agent_events VALUES ('evt-1', 'tool_call', 'session-123', '2024-01-16 12:00:00')")
        (event,) = receive(socket)["events"]
        assert (event["event_id"], event["timestamp"]) == ("evt-1", "2024-01-16T12:00:00.000Z")
        publish_at_once(server, 120)
        assert max(batch_sizes(socket, 120)) <= 50


def test_less_memory(start, play):
    made = settings(play, start(), "events_high_memory")
    assert made == {"event_batch_window_ms": 25.0, "max_clients_per_session": 5}
    assert fill(start(events(**made)), 5) == (1008, "Session client limit reached")


def test_less_latency(start, play):
    server = start()
    with server.websocket(PATH):
        server.await_readers(TOPIC)
        made = settings(play, server, "events_high_latency", 'session_id = "session-123"\n')
    assert made == {"event_batch_size": 25, "poll_interval_ms": 200.0}
    smaller = start(events(**made))
    with smaller.websocket(PATH) as socket:
        smaller.await_readers(TOPIC)
        publish_at_once(smaller, 120)
        assert max(batch_sizes(socket, 120)) <= 25


def test_the_metrics_of_sessions(start, play):
    server = start()
    with server.websocket(PATH, compression=None) as socket, server.websocket("/ws/events/another"):
        server.await_readers(TOPIC), server.await_readers("events.another")
        server.publish(TOPIC, EVENT, EVENT)
        size = bytes_until(socket, 2)
        given = 'manager, session_id = WebSocketManager(), "session-123"\n'
        client = play(server, "events_manager_metrics", before=stand_in(MANAGER, server) + given)
        said = dict(line.split(": ") for line in client.take(5))
    assert list(said) == ["Connected clients", "Events sent", "Bytes sent", "Active sessions", "Total events broadcast"]
    assert int(said.pop("Bytes sent")) >= size
    assert list(said.values()) == ["1", "2", "2", "2"]


def bytes_until(socket, count):
    """The bytes of the messages until so many events have come."""
    size = 0
    while count > 0:
        text = socket.recv(timeout=PATIENCE)
        size, count = size + len(text), count - json.loads(text)["count"]
    return size


def test_the_memory_of_a_long_connection(start, play):
    server = start()
    streaming = f"""
import asyncio, json, websockets
async def stream():
    count = 0
    async with websockets.connect({server.url.replace("http", "ws") + PATH!r}) as socket:
        while count < 1000:
            count += json.loads(await socket.recv())["count"]
"""
    text = snippet("python/events_memory.py", server)
    assert "# ... run streaming ..." in text
    client = play(server, before=streaming, after=text.replace("# ... run streaming ...", "await stream()"))
    server.await_readers(TOPIC)
    publish_at_once(server, 1000)
    words = client.line().replace(",", "").split()
    assert (words[0], words[2:4], words[5]) == ("Memory:", ["KB", "Peak:"], "KB")
    assert 0 < float(words[1]) <= float(words[4]) < 20_000
