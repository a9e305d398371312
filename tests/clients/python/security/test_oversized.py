"""More than there is room for: heads, bodies, messages, filters, tokens, names, subscriptions. All of it is refused, and the node goes on."""

import json

import pytest
from nodes import BACKEND, GOOD
from wire import TEXT, Peer, closed, frame, frames, head, message, status, upgrade

KEY = f"Authorization: Bearer {BACKEND}"
SMALL = '\n[limits]\nbody_bytes = "256KiB"\nevent_bytes = "64KiB"\nmessage_bytes = "64KiB"\nsubscriptions_per_connection = 10\n'
MIB = 1 << 20

HEADS = {
    "one long header": head("GET", "/v1/topics", KEY, "X-Long: " + "x" * MIB),
    "many headers": head("GET", "/v1/topics", KEY, *(f"X-{n}: 1" for n in range(5000))),
    "a long path": head("GET", "/v1/topics/" + "a" * MIB, KEY),
    "a long query": head("GET", "/v1/topics/a?filter=" + "a" * MIB, KEY),
    "a long token": head("GET", "/v1/topics/a?token=" + "a" * MIB),
    "a long bearer": head("GET", "/v1/topics/a", "Authorization: Bearer " + "a" * MIB),
    "no end of a method": b"G" * MIB,
    "no end of a header": b"GET / HTTP/1.1\r\nX: " + b"x" * MIB,
    "a long handshake": upgrade("/v1/topics", KEY, "Sec-WebSocket-Protocol: " + "a," * (MIB // 2)),
    "many extensions": upgrade("/v1/topics", KEY, "Sec-WebSocket-Extensions: " + "permessage-deflate," * 50_000),
}


@pytest.mark.parametrize("name", HEADS)
def test_heads(node, name):
    with Peer(node) as peer:
        seen = peer.send(HEADS[name]).read_to_end()
    assert status(seen) in (0, 400, 401, 404, 414, 431), seen[:200]


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def posted(target, body, *lines):
    return head("POST", target, KEY, f"Content-Length: {len(body)}", *lines) + body


JSON, LINES = "Content-Type: application/json", "Content-Type: application/x-ndjson"
LONG = json.dumps({"data": "x" * 70_000}).encode()
BODIES = {
    "an event": posted("/v1/topics/a", LONG, JSON),
    "a binary event": posted("/v1/topics/a", b"x" * 70_000),
    "an event in chunks": head("POST", "/v1/topics/a", KEY, "Transfer-Encoding: chunked") + chunk(b"x" * 40_000) * 3 + b"0\r\n\r\n",
    "a line": posted("/v1/topics/a", LONG + b"\n", LINES),
    "lines without an end": head("POST", "/v1/topics/a", KEY, LINES, "Transfer-Encoding: chunked") + chunk(b"1\n" * 20_000) * 20,
    "a length that is a lie": head("POST", "/v1/topics/a", KEY, JSON, f"Content-Length: {1 << 62}") + b"1",
    "a length beyond numbers": head("POST", "/v1/topics/a", KEY, JSON, f"Content-Length: {1 << 70}") + b"1",
    "nesting": posted("/v1/topics/a", b"[" * 60_000, JSON),
    "nesting in an envelope": posted("/v1/topics/a", b'{"data":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, JSON),
    "a type": posted("/v1/topics/a", json.dumps({"type": "x" * 129, "data": 1}).encode(), JSON),
    "an id": posted("/v1/topics/a", json.dumps({"id": "x" * 129, "data": 1}).encode(), JSON),
    "a key": posted("/v1/topics/a?key=" + "x" * 129, b"1", JSON),
    "tags": posted("/v1/topics/a", json.dumps({"tags": ["x"] * 17, "data": 1}).encode(), JSON),
    "a tag": posted("/v1/topics/a", b"1", JSON, "Event-Tags: " + "x" * 65),
    "a name": posted("/v1/topics/" + "a" * 256, b"1", JSON),
    "an idempotency key": posted("/v1/topics/a", b"1", JSON, "Idempotency-Key: " + "x" * 129),
}


@pytest.fixture(scope="module")
def small():
    from nodes import KEYS, Node

    running = Node(SMALL + KEYS)
    yield running
    running.close()


@pytest.mark.parametrize("name", BODIES)
def test_bodies(small, name):
    with Peer(small) as peer:
        seen = peer.send(BODIES[name]).read(quiet=10)
    assert status(seen) in (400, 413) or b'"published":0' in seen, seen[:300]
    small.check()


def leaves(count):
    return {"or": [{"eq": ["event", "x"]}] * count}


def nested(depth):
    return {"exists": "id"} if depth == 0 else {"not": nested(depth - 1)}


FILTERS = {
    "nodes": json.dumps(leaves(64)),
    "depth": json.dumps(nested(17)),
    "depth beyond stacks": '{"not":' * 5000 + '{"exists":"id"}' + "}" * 5000,
    "values": json.dumps({"in": ["id", list(range(1025))]}),
    "a field": json.dumps({"exists": "data." + "a" * 300}),
    "a glob that would take for ever": json.dumps({"glob": ["id", "?*" * 3000]}),
    "bytes": json.dumps({"eq": ["id", "x" * 65_000]}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(node, name):
    asked = {"topic": "good.a", "filter": json.loads(FILTERS[name]) if name != "depth beyond stacks" else 0}
    text = json.dumps({"type": "subscribe"} | asked)
    if name == "depth beyond stacks":
        text = text.replace('"filter": 0', '"filter": ' + FILTERS[name])
    with Peer(node) as peer:
        seen = peer.send(upgrade("/v1/topics", f"Authorization: Bearer {GOOD}") + frame(text.encode())).read()
    (answer,) = frames(seen)
    accepted = name in ("a glob that would take for ever", "bytes")
    assert json.loads(answer[1])["type"] == ("subscribed" if accepted else "error"), answer


def test_a_glob_takes_no_time(node):
    """The worst of them on the worst of texts."""
    node.publish("good.globs", *({"id": "a" * 127 + "b", "data": "a" * 1000} for _ in range(50)))
    for glob in ("*a" * 60 + "c", "?*" * 60 + "c", "*" * 100 + "c"):
        asked = {"filter": json.dumps({"glob": ["id", glob]}), "from": "oldest"}
        answer = node.http.get("/v1/topics/good.globs", params=asked, timeout=3)
        assert answer.status_code in (200, 400) and answer.json().get("events", []) == []


MESSAGES = {
    "a message": frame(b"x" * 70_000),
    "a claim of 2^62 bytes": frame(b"x" * 100, length=1 << 62),
    "a claim of 2^63 bytes": frame(b"x" * 100, length=1 << 63),
    "fragments": frame(b"x" * 30_000, fin=False) + frame(b"x" * 30_000, opcode=0, fin=False) * 3,
    "fragments of nothing": frame(b"", fin=False) + frame(b"", opcode=0, fin=False) * 10 + frame(b"x" * 70_000, opcode=0),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(small, name):
    with Peer(small) as peer:
        seen = peer.send(upgrade("/v1/topics", KEY) + MESSAGES[name]).read_to_end()
    assert closed(seen)[0] in (1002, 1009), seen
    small.check()


def test_subscriptions(small):
    asked = b"".join(message(type="subscribe", topic=f"other.t{n}") for n in range(30))
    with Peer(small) as peer:
        seen = peer.send(upgrade("/v1/topics", KEY) + asked).read()
    kinds = [json.loads(payload)["type"] for opcode, payload in frames(seen) if opcode == TEXT]
    assert kinds == ["subscribed"] * 10 + ["error"] * 20
    small.check()


def test_questions_without_reading_the_answers(small):
    """Whoever asks without end and never reads is not answered without end."""
    asked = message(type="ping", ref="x" * 100) * 1000
    with Peer(small) as peer:
        peer.send(upgrade("/v1/topics", KEY))
        peer.socket.settimeout(1)
        try:
            for _ in range(2000):
                peer.socket.sendall(asked)
        except (TimeoutError, ConnectionError):
            pass
        else:
            raise AssertionError("the node has taken 300 MB of questions that nobody reads the answers of")
        small.check()
