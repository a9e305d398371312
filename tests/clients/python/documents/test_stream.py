"""Document 000: the `stream` protocol."""

import ast
import json

import pytest
from server import receive
from snippet import BACKEND, TOKEN
from standins import BROADCASTS, stand_in

MESSAGE = {"message_id": "m-1", "channel_id": "lobby", "author_id": "ada", "content": "Grüße", "direction": "incoming"}


def test_messages(guarded, play):
    server = guarded()
    client = play(server, "stream_messages")
    said = client.line()
    assert said.startswith("Auth: ")
    auth = json.loads(said.removeprefix("Auth: "))
    assert list(auth) == ["type", "timestamp", "data"] and auth["type"] == "auth"
    assert auth["data"] == {"authenticated": True, "user_id": "client", "role": "OBSERVER"}
    server.await_readers("stream.message")
    server.publish("stream.telemetry", {"metric_name": "cpu", "value": 0.5})
    server.publish("stream.message", MESSAGE, MESSAGE | {"message_id": "m-2", "content": "two\nlines"})
    got = [ast.literal_eval(line.removeprefix("Message: ")) for line in client.take(2)]
    assert got == [MESSAGE, MESSAGE | {"message_id": "m-2", "content": "two\nlines"}]


def test_a_wrong_token_ends_the_client_with_1008(guarded, play):
    client = play(guarded(), "stream_messages", token="nobody's")
    said = "\n".join(client.said())
    assert "ConnectionClosed" in said and "1008" in said and "Authentication required" in said
    assert client.process.wait() == 1


# Each handler of the document: what it takes from its surroundings, how it is called, and what its readers get.
HEARD = {"message_id": "m-1", "channel_id": "lobby", "author_id": "ada", "content": "Grüße"}
ANSWERED = {"message_id": "r-1", "channel_id": "lobby", "author_id": "agent", "content": "Hello", "direction": "outgoing"}
HANDLERS = {
    "messages": (
        f"from types import SimpleNamespace as IncomingMessage\nresponse_id, response_content = 'r-1', 'Hello'\nheard = {HEARD!r}",
        "handle_incoming_message(IncomingMessage(**heard))",
        [HEARD | {"direction": "incoming"}, ANSWERED],
    ),
    "telemetry": (
        "",
        "emit_metric('cpu', 0.5, {'host': 'a'})",
        [{"metric_name": "cpu", "value": 0.5, "unit": None, "tags": {"host": "a"}}],
    ),
    "reasoning": (
        "import types\nuuid = types.SimpleNamespace(uuid4=lambda: 'u-1')",
        "process_thought('What if?', 'ponder', 2)",
        [{"reasoning_id": "reason_u-1", "step": "processing", "thought": "What if?", "depth": 2, "handler": "ponder"}],
    ),
    "logs": (
        "",
        "log_event('INFO', 'started', {'pid': 7})",
        [{"level": "INFO", "logger_name": "__main__", "message": "started", "context": {"pid": 7}}],
    ),
}


@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
@pytest.mark.parametrize("stream", HANDLERS)
def test_what_the_agent_broadcasts_is_streamed(guarded, play, stream):
    given, call, expected = HANDLERS[stream]
    server = guarded()
    with server.websocket(f"/v1/stream/{stream}?token={BACKEND}") as socket:
        assert receive(socket)["type"] == "auth"
        before = stand_in(BROADCASTS, server, BACKEND) + given
        client = play(server, f"stream_publish_{stream}", before=before, after=f"await {call}")
        got = [receive(socket) for _ in expected]
        assert [one["data"] for one in got] == expected
        assert [list(one["data"]) for one in got] == [list(one) for one in expected]
        assert {one["type"] for one in got} == {stream.rstrip("s") if stream != "reasoning" else stream}
        assert client.said() == [] and client.process.wait() == 0


@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
def test_what_may_not_be_published_is_not(guarded, play):
    server = guarded()
    given, call, _ = HANDLERS["telemetry"]
    client = play(server, "stream_publish_telemetry", before=stand_in(BROADCASTS, server, TOKEN) + given, after=f"await {call}")
    assert "403 Forbidden" in "\n".join(client.said())
    assert server.http.get("/v1/topics/stream.telemetry").json()["newest"] == 0
