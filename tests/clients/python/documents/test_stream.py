"""Document 000: the `stream` protocol."""

import ast
import json

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
