"""`millrace connect`: a WebSocket on the command line."""

import json
import subprocess

from server import BINARY, PATIENCE


def connect(server, place, *arguments, stdin=""):
    line = [BINARY, "connect", "--url", server.url, place, *arguments]
    return subprocess.run(line, input=stdin, capture_output=True, text=True, timeout=PATIENCE)


def test_prints_what_comes_and_ends(server, topic):
    server.publish(topic, *range(3))
    done = connect(server, f"/v1/topics/{topic}?from=oldest", "--count", "4")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [message.get("data") for message in messages] == [None, 0, 1, 2]


def test_sends_flags_then_lines(server):
    ping = '{"type":"ping"}'
    done = connect(server, "/v1/stream/all", "--send", '{"type":"subscribe","streams":["log"]}', "--count", "3", stdin=ping)
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert (done.returncode, kinds) == (0, ["auth", "subscribe", "pong"]), done.stderr


def test_a_whole_url_does_as_well(server, topic):
    server.publish(topic, {"n": 1})
    done = connect(server, server.url.replace("http", "ws", 1) + f"/v1/topics/{topic}?from=oldest", "--count", "2")
    assert done.returncode == 0 and done.stdout.count("\n") == 2, done.stderr


def test_long_messages_arrive_whole(server, topic):
    text = "x" * 300_000
    server.publish(topic, text)
    done = connect(server, f"/v1/topics/{topic}?from=oldest", "--count", "2")
    assert json.loads(done.stdout.splitlines()[1])["data"] == text


def test_a_close_and_a_refusal_are_told(server):
    closed = connect(server, "/ws/events/a?batch_size=0")
    assert closed.returncode == 1 and "batch_size must be 1 to 1000 (1008)" in closed.stderr
    refused = connect(server, "/nowhere")
    assert refused.returncode == 1 and "404" in refused.stderr
    assert connect(server, "nowhere").returncode == 1
