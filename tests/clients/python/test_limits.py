"""What is refused and how, gaps, slow readers, stopping."""

import hashlib
import json
import signal
import socket as sockets
import time

import pytest
import websockets

from server import PATIENCE, receive, request

KEYS = "".join(
    f'[[keys]]\nname = "{name}"\nhash = "sha256:{hashlib.sha256(token.encode()).hexdigest()}"\n{grants}\n'
    for name, token, grants in [
        ("backend", "secret-b", 'publish = ["**"]'),
        ("page", "secret-p", 'subscribe = ["open.**"]'),
    ]
)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_errors_have_a_code_and_a_message(server):
    answers = [
        server.http.post("/v1/topics/a..b", json=1),
        server.http.post("/v1/topics/t", content="{broken", headers={"Content-Type": "application/json"}),
        server.http.post("/v1/topics/t", json={"data": 1, "type": "x" * 129}),
        server.http.post("/v1/topics/t", json={"data": 1, "tags": ["x"] * 17}),
        server.http.post("/v1/topics/t", content="[" * 200 + "]" * 200, headers={"Content-Type": "application/json"}),
        server.http.post("/v1/topics/t", content=b'"\xff"', headers={"Content-Type": "application/json"}),
        server.http.get("/v1/topics/t", params={"filter": "{"}),
        server.http.get("/v1/topics/t", params={"after": "x:y"}),
        server.http.get("/v1/topics/t", params={"limit": "0x"}),
    ]
    for answer in answers:
        assert answer.status_code == 400, f"{answer.request.url}: {answer.status_code} {answer.text}"
        assert answer.json()["error"]["code"] and answer.json()["error"]["message"]


def test_unknown_paths_and_methods(server):
    assert server.http.get("/nowhere").status_code == 404
    assert server.http.delete("/v1/topics/a").status_code == 405


def test_what_is_too_large_is_refused(start, topic):
    server = start('[limits]\nbody_bytes = "64KiB"\nevent_bytes = "1KiB"\nmessage_bytes = "2KiB"\n')
    path = f"/v1/topics/{topic}"
    assert server.http.post(path, json="x" * 2000).status_code == 413
    assert server.http.post(path, json="x" * 100_000).status_code == 413
    assert server.http.post(path, json="x" * 900).status_code == 200
    with server.websocket("/v1/topics") as socket:
        socket.send(json.dumps({"type": "ping", "pad": "x" * 3000}))
        with pytest.raises(websockets.ConnectionClosed):
            receive(socket)
        assert socket.close_code == 1009


def test_keys_are_needed_and_grants_hold(start):
    server = start(KEYS)
    path = "/v1/topics/open.a"
    assert server.http.post(path, json=1).status_code == 401
    assert server.http.post(path, json=1, headers=bearer("wrong")).status_code == 401
    assert server.http.post(path, json=1, headers=bearer("secret-p")).status_code == 403
    assert server.http.post(path, json=1, headers=bearer("secret-b")).status_code == 200
    assert server.http.get(path, headers=bearer("secret-b")).status_code == 403
    assert server.http.get(path, params={"token": "secret-p"}).json()["events"][0]["data"] == 1
    assert server.http.get("/v1/topics/closed.a", params={"token": "secret-p"}).status_code == 403


def test_keys_hold_on_sockets(start):
    server = start(KEYS)
    with pytest.raises((websockets.InvalidStatus, websockets.ConnectionClosed)):
        with server.websocket("/v1/topics") as socket:
            receive(socket)
    with server.websocket("/v1/topics?token=secret-p") as socket:
        assert request(socket, type="subscribe", topic="open.**")["type"] == "subscribed"
        assert request(socket, type="subscribe", topic="**")["type"] == "error"
        assert request(socket, type="subscribe", topic="closed.a")["type"] == "error"
        assert request(socket, type="publish", topic="open.a", data=1)["type"] == "error"


def test_binary_where_text_is_expected_closes(server):
    with server.websocket("/v1/topics") as socket:
        socket.send(b"\x00\x01")
        with pytest.raises(websockets.ConnectionClosed):
            receive(socket)
        assert socket.close_code == 1003


def test_what_is_no_longer_kept_is_told(start, topic):
    server = start("[namespaces.default]\nretain_events = 4\n")
    epoch = server.publish(topic, *range(1, 21))["epoch"]
    with server.sse(f"/v1/topics/{topic}", {"after": f"{epoch}:2"}) as stream:
        begun, event = next(stream)[1], next(stream)[1]
    kept = event["offset"]
    assert begun["recovered"] is False and begun["missed"] == kept - 3 and begun["offset"] == kept - 1
    assert event["data"] == kept and kept >= 17
    page = server.http.get(f"/v1/topics/{topic}", params={"after": f"{epoch}:2"}).json()
    assert (page["recovered"], page["missed"], page["oldest"]) == (False, kept - 3, kept)


def raw_reader(server, path):
    """A reader that will stall: a bare socket with a small buffer."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    reader = sockets.socket()
    reader.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    reader.settimeout(PATIENCE)
    reader.connect((host, int(port)))
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n".encode())
    assert b"subscribed" in reader.recv(4096)
    return reader


def read_until(reader, words, seconds=PATIENCE):
    seen, deadline = b"", time.monotonic() + seconds
    while not any(word in seen for word in words) and time.monotonic() < deadline:
        piece = reader.recv(65536)
        if not piece:
            break
        seen += piece
    return seen


def flood(server, topic, count=400):
    body = "\n".join(json.dumps({"data": {"n": n, "pad": "x" * 20_000}}) for n in range(50))
    for _ in range(count // 50):
        answer = server.http.post(f"/v1/topics/{topic}", content=body, headers={"Content-Type": "application/x-ndjson"})
        assert answer.status_code == 200


SMALL = '[delivery]\nsend_buffer_bytes = "16KiB"\n[namespaces.default]\nretain_events = 32\n'


def test_a_slow_reader_is_closed_with_its_reason(start, topic):
    server = start(SMALL + 'slow_policy = "disconnect"\n')
    reader = raw_reader(server, f"/v1/topics/{topic}")
    flood(server, topic)
    seen = read_until(reader, [b'"code":1013'])
    assert b'"code":1013' in seen and b"slow consumer" in seen and b"retry:" in seen
    reader.close()


def test_a_slow_reader_that_skips_is_told_of_the_gap(start, topic):
    server = start(SMALL + 'slow_policy = "skip"\n')
    reader = raw_reader(server, f"/v1/topics/{topic}")
    flood(server, topic)
    seen = read_until(reader, [b"event: gap"])
    assert b"event: gap" in seen and b'"missed":' in seen
    reader.close()


def test_a_slow_reader_does_not_slow_the_others(start, topic):
    server = start(SMALL)
    reader = raw_reader(server, f"/v1/topics/{topic}")
    with server.websocket(f"/v1/topics/{topic}") as healthy:
        receive(healthy)
        for number in range(200):
            server.publish(topic, {"n": number, "pad": "x" * 20_000})
            assert receive(healthy)["data"]["n"] == number
    reader.close()


def test_drain_closes_everybody_with_a_hint(start, topic):
    server = start()
    with server.websocket(f"/v1/topics/{topic}") as socket, server.sse(f"/v1/topics/{topic}") as stream:
        receive(socket), next(stream)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(websockets.ConnectionClosed):
            receive(socket)
        assert (socket.close_code, socket.close_reason) == (1012, "restarting")
        name, message, _ = next(stream)
        assert (name, message["code"]) == ("close", 1012)
    assert server.process.wait(PATIENCE) == 0


def test_an_idle_server_stops_at_once(start):
    assert start().stop(signal.SIGINT) == 0


def test_health_ready_and_metrics(server):
    assert server.http.get("/health").status_code == 200
    assert server.http.get("/ready").status_code == 200
    metrics = server.http.get("/metrics")
    assert metrics.status_code == 200 and "# TYPE" in metrics.text
