"""Requests whose end two parsers could see in different places. Behind a proxy that sees the other place, the rest would
be somebody else's request; so they are refused, or the connection ends with their answer."""

import pytest
from nodes import BACKEND, GOOD
from wire import Peer, head, status

KEY = f"Authorization: Bearer {BACKEND}"
HIDDEN = head("GET", "/v1/topics/good.hidden", KEY)
TARGET = "/v1/topics/good.smuggled"


def post(*lines, body=b""):
    return head("POST", TARGET, KEY, *lines) + body


CHUNKED = "Transfer-Encoding: chunked"
ROWS = {
    "length and chunks": post("Content-Length: 6", CHUNKED, body=b"0\r\n\r\nG"),
    "chunks and length": post(CHUNKED, "Content-Length: 6", body=b"0\r\n\r\nG"),
    "length over chunks with a request": post(f"Content-Length: {len(HIDDEN) + 5}", CHUNKED, body=b"0\r\n\r\n" + HIDDEN),
    "two lengths": post("Content-Length: 1", "Content-Length: 2", body=b"12"),
    "two lengths in one": post("Content-Length: 1, 2", body=b"12"),
    "a signed length": post("Content-Length: +1", body=b"1"),
    "a negative length": post("Content-Length: -1", body=b"1"),
    "a length in hex": post("Content-Length: 0x1", body=b"1"),
    "a length with a space in it": post("Content-Length: 1 1", body=b"1" * 11),
    "a space before the colon": post("Content-Length : 1", body=b"1"),
    "chunks by another name": post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunks before identity": post("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "chunks with a control character": post("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "chunks twice, once unknown": post("Transfer-Encoding: chunked", "Transfer-Encoding: cow", body=b"0\r\n\r\n"),
    "chunks in quotes": post('Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "a folded header": post("Content-Length:\r\n 1", body=b"1"),
    "a size that is no number": post(CHUNKED, body=b"zz\r\nab\r\n0\r\n\r\n"),
    "a size with a sign": post(CHUNKED, body=b"-1\r\na\r\n0\r\n\r\n"),
    "a size with 0x": post(CHUNKED, body=b"0x1\r\na\r\n0\r\n\r\n"),
    "a size beyond numbers": post(CHUNKED, body=b"1" + b"0" * 16 + b"\r\na\r\n0\r\n\r\n"),
    "an empty size": post(CHUNKED, body=b"\r\na\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": post(CHUNKED, body=b"1\r\nab\r\n0\r\n\r\n"),
    "an extension without an end": post(CHUNKED, body=b"1;" + b"x" * 100_000),
    "a line feed in an extension": post(CHUNKED, body=b"1;a\nb\r\nx\r\n0\r\n\r\n"),
    "trailers without an end": post(CHUNKED, body=b"0\r\n" + b"a: b\r\n" * 20_000),
    "a method with a space": b"GET  /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "a version that is none": b"GET /health HTTP/1.9\r\nHost: x\r\n\r\n",
    "a header without a colon": head("GET", "/health", "Nonsense"),
    "a header with a NUL": head("GET", "/health", "X: a\0b"),
    "a name with a space": head("GET", "/health", "X Y: a"),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_has_two_ends_ends_the_connection(node, name):
    """After the answer, if there is one, nothing else on the connection is answered."""
    with Peer(node) as peer:
        seen = peer.send(ROWS[name] + head("GET", "/health", "X-Second: 1")).read_to_end()
    assert seen.count(b"HTTP/1.1 ") <= 1 and b'"status":"ok"' not in seen, seen
    assert b"good.hidden" not in seen


AGREED = {
    "a length": post("Content-Length: 1", body=b"1"),
    "chunks": post(CHUNKED, body=b"1\r\n1\r\n0\r\n\r\n"),
    "an extension": post(CHUNKED, body=b"1;a=b\r\n1\r\n0\r\n\r\n"),
    "a trailer": post(CHUNKED, body=b"1\r\n1\r\n0\r\nX: y\r\n\r\n"),
    "capitals": post("TRANSFER-ENCODING: Chunked", body=b"1\r\n1\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", AGREED)
def test_what_has_one_end_is_followed_by_the_next(node, name):
    with Peer(node) as peer:
        seen = peer.send(AGREED[name] + head("GET", "/health", "Connection: close")).read_to_end()
    assert seen.count(b"HTTP/1.1 200") == 2, seen


def test_what_a_refused_request_carries_is_not_a_request(node):
    """A body that nobody reads is not taken for the next request, whatever it looks like."""
    for target, token in [("/v1/topics/victim.a", GOOD), ("/v1/topics/", BACKEND), ("/nowhere", BACKEND)]:
        request = head("POST", target, f"Authorization: Bearer {token}", f"Content-Length: {len(HIDDEN)}") + HIDDEN
        with Peer(node) as peer:
            seen = peer.send(request + head("GET", "/health", "Connection: close")).read_to_end()
        assert status(seen) in (403, 404, 405) and seen.count(b"HTTP/1.1 ") == 2, seen


def test_a_handshake_with_a_body_is_not_followed_by_frames_of_another(node):
    """Requests behind an upgrade are bytes of the stream, not requests."""
    lines = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    with Peer(node) as peer:
        seen = peer.send(head("GET", "/v1/topics", KEY, *lines) + head("GET", "/health")).read_to_end()
    assert status(seen) == 101 and b'"status":"ok"' not in seen, seen
