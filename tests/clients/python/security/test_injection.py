"""Names, types, ids and data that would like to be more than that: lines of SSE, headers of answers, other people's fields."""

import json

import pytest
from entries import SSE
from injection import sse_lines
from nodes import BACKEND, GOOD
from server import receive
from wire import Peer, head

KEY = f"Authorization: Bearer {BACKEND}"
FORGED = 'forged","offset":99,"x":"'
NASTY = {
    "line feed": "x\nevent: close\ndata: forged\n\n",
    "carriage return": "x\revent: close\rdata: forged\r\r",
    "both": "x\r\n\r\nid: 1:1\r\ndata: forged\r\n\r\n",
    "NUL": "x\0y",
    "line separators of Unicode": "x\u2028data: forged\u2029\u0085data: forged\x0b\x0c",
    "quotes": FORGED,
    "backslashes": 'x\\","forged":"\\u000a\\',
    "end of a script": "</script><script>forged()</script>",
    "a lone surrogate": "x\ud800y",
    "a mark of byte order": "\ufeffdata: forged",
    "direction marks": "x\u202eforged",
}
PLACES = ["type", "id", "key", "tags", "data", "name in data"]


def published(place, text):
    if place == "data":
        return {"data": text}
    if place == "name in data":
        return {"data": {text: text}}
    return {"data": 1, place: [text] if place == "tags" else text}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NASTY)
def test_texts_stay_texts(node, name, place):
    """What is published with such a text reaches readers over every transport as one event with it, or is refused."""
    text = NASTY[name]
    with (
        Peer(node) as sse,
        Peer(node) as many,
        node.websocket(f"/v1/topics/good.nasty?token={GOOD}") as socket,
    ):
        receive(socket)
        sse.send(head("GET", "/v1/topics/good.nasty", KEY, f"Accept: {SSE}")).read(until=b"subscribed")
        many.send(head("GET", "/v1/topics?topic=good.*", KEY, f"Accept: {SSE}")).read(until=b'"missed":0')
        body = json.dumps(published(place, text)).encode()
        answer = node.http.post("/v1/topics/good.nasty", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 400), answer.text
        node.publish("good.nasty", {"data": "last", "id": "last"})
        events = [receive(socket)] if answer.status_code == 200 else []
        assert receive(socket)["data"] == "last"
        for event in events:
            assert members(event, place) == published(place, text), event
        for peer in (sse, many):
            check_lines(sse_lines(peer.read(until=b'"last"')), len(events) + 1)


def members(event, place):
    """What the reader sees of what was published."""
    data = {"data": event["data"]}
    return data if "data" in place else data | {place: event["event" if place == "type" else place]}


def check_lines(lines, events):
    """Nothing but the known fields, each event on lines of its own."""
    names = [line.partition(":")[0] for line in lines if line]
    assert set(names) <= {"id", "event", "data", "retry", ""}, lines
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert len([one for one in data if one["type"] == "event"]) == events, lines
    assert not [line for line in lines if line.startswith(("data: forged", "event: close", "id: 1:1"))], lines


HEADERS = {
    "Event-Type": "x\x0by",
    "Event-Id": 'x","forged":"',
    "Event-Key": "\xe9\xff",
    "Event-Tags": 'a","b',
    "Content-Type": 'text/plain","forged":"\x7f',
    "Idempotency-Key": "x\ty",
}


@pytest.mark.parametrize("header", HEADERS)
def test_headers_stay_texts(node, header):
    line = f"{header}: {HEADERS[header]}".encode("latin-1")
    request = head("POST", "/v1/topics/good.headers", KEY, "Content-Length: 1")[:-2] + line + b"\r\n\r\n1"
    with node.websocket(f"/v1/topics/good.headers?token={GOOD}") as socket, Peer(node) as peer:
        receive(socket)
        peer.send(request).read()
        node.publish("good.headers", "last")
        while (event := receive(socket))["data" if "data" in event else "data_base64"] != "last":
            assert "forged" not in event


TARGETS = [
    "/v1/topics/x%0d%0aSet-Cookie:%20forged=1",
    "/v1/topics/x%0aSet-Cookie:%20forged=1",
    "/v1/topics/good.a%00",
    "/v1/topics/good.a%E2%80%A8",
    "/v1/topics/good.a?filter=%0d%0aSet-Cookie:%20forged=1",
    "/v1/topics/good.a?after=%0d%0aSet-Cookie:%20forged=1",
    "/v1/topics/good.a?token=%0d%0aSet-Cookie:%20forged=1",
    "/v1/topics?topic=x%0d%0aSet-Cookie:%20forged=1",
    "/v1/presence/x%0d%0aSet-Cookie:%20forged=1",
    "/%0d%0aSet-Cookie:%20forged=1",
]


@pytest.mark.parametrize("accept", [SSE, "application/x-ndjson", "*/*"])
@pytest.mark.parametrize("target", TARGETS)
def test_targets_do_not_become_headers(node, target, accept):
    with Peer(node) as peer:
        seen = peer.send(head("GET", target, KEY, f"Accept: {accept}", "Connection: close")).read()
    assert b"\nset-cookie" not in seen.lower(), seen


@pytest.mark.parametrize("raw", [b"/v1/topics/good.a\r\nX: y", b"/v1/topics/good.a\0", b"/v1/topics/g\xc3\xa4", b"/v1/topics/good.a HTTP/1.1\nHost:y\n\nGET /"])
def test_targets_that_are_none(node, raw):
    with Peer(node) as peer:
        seen = peer.send(b"GET " + raw + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + KEY.encode() + b"\r\n\r\n").read()
    assert seen.count(b"HTTP/1.1 200") == 0, seen


def test_names_that_lead_elsewhere(node):
    """Paths are no files: dots and encoded slashes stay within the name and are refused there."""
    for name in ["../metrics", "..%2f..%2fmetrics", "%2e%2e/health", "good.a/../../health", "good.a%2f..", "%252e"]:
        with Peer(node) as peer:
            seen = peer.send(head("GET", f"/v1/topics/{name}", KEY, "Connection: close")).read()
        assert b" 400 " in seen.split(b"\r\n")[0], seen


def test_a_forged_member_of_the_envelope_is_data(node):
    with node.websocket(f"/v1/topics/good.members?token={GOOD}") as socket:
        receive(socket)
        forged = {"data": 1, "offset": 99, "topic": "other.topic", "time": "1999-01-01T00:00:00.000Z", "epoch": 1}
        node.publish("good.members", forged)
        event = receive(socket)
        assert event["data"] == forged and event["topic"] == "good.members" and event["offset"] != 99


def test_numbers_and_duplicates_in_requests(node):
    with node.websocket(f"/v1/topics?token={GOOD}") as socket:
        for text in [
            '{"type":"subscribe","topic":"good.a","topic":"victim.a"}',
            '{"type":"subscribe","type":"publish","topic":"victim.a","data":1}',
            '{"type":"subscribe","topic":["good.a"]}',
            '{"type":"subscribe","topic":"good.a","after":1e400}',
            '{"type":"subscribe","topic":"good.a","after":-1}',
            '{"type":"subscribe","topic":"good.a","after":"18446744073709551616:1"}',
            '["subscribe"]', "null", '"', "{", "",
        ]:  # fmt: skip
            socket.send(text)
            assert receive(socket)["type"] == "error", text
