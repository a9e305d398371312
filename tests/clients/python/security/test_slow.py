"""Clients that take their time. The node gives up on them, and serves the others meanwhile."""

import contextlib
import time

import pytest
from nodes import BACKEND, KEYS
from server import PATIENCE, until
from wire import Peer, frame, head, upgrade

HASTY = '\n[limits]\nheader_seconds = 1\n[timing]\nwrite_seconds = 1\nping_seconds = 1\n'
KEY = f"Authorization: Bearer {BACKEND}"
CROWD = 200

BEGINNINGS = {
    "nothing": b"",
    "half a line": b"GET /v1/to",
    "half a head": b"GET /v1/topics HTTP/1.1\r\nHost: x\r\n",
    "half a handshake": upgrade("/v1/topics", KEY)[:-2],
    "half a body": head("POST", "/v1/topics/good.a", KEY, "Content-Type: application/json", "Content-Length: 100") + b"[1,",
    "half a chunk": head("POST", "/v1/topics/good.a", KEY, "Transfer-Encoding: chunked") + b"64\r\nabc",
    "half a line of many": head("POST", "/v1/topics/good.a", KEY, "Content-Type: application/x-ndjson", "Content-Length: 100") + b"[1,",
    "half a body nobody may send": head("POST", "/v1/topics/good.a", "Content-Length: 100") + b"[1,",
    "half a body for another path": head("POST", "/v1/topics/", KEY, "Content-Length: 100") + b"[1,",
}


@pytest.fixture(scope="module")
def hasty():
    from nodes import Node

    running = Node(HASTY + KEYS)
    yield running
    running.close()


@pytest.mark.parametrize("name", BEGINNINGS)
def test_half_a_request_is_given_up(hasty, name):
    with contextlib.ExitStack() as crowd:
        peers = [crowd.enter_context(Peer(hasty)).send(BEGINNINGS[name]) for _ in range(CROWD)]
        hasty.check()
        for peer in peers:
            peer.read_to_end()
    hasty.check()


@pytest.mark.parametrize("name", ["half a line", "half a head", "half a handshake", "half a body"])
def test_a_byte_at_a_time_is_given_up(hasty, name):
    """One byte every tenth of a second buys no more time; only who may publish many lines may take long over all of them."""
    begun = time.monotonic()
    with Peer(hasty) as peer:
        peer.send(BEGINNINGS[name])
        while not peer.ended and time.monotonic() - begun < PATIENCE:
            peer.send(b"x").read(quiet=0.1)
        assert peer.ended, "the node waits for ever"
    hasty.check()


def test_who_has_asked_once_does_not_stay(hasty):
    with Peer(hasty) as peer:
        peer.send(head("GET", "/health")).read_to_end()
    hasty.check()


def test_half_a_frame_is_given_up(hasty):
    """A WebSocket that never finishes its message does not answer pings either."""
    with Peer(hasty) as peer:
        peer.send(upgrade("/v1/topics", KEY) + frame(b"x" * 1000)[:50]).read_to_end()
    hasty.check()


def test_a_crowd_that_connects_and_says_nothing_keeps_nobody_out(start_node):
    node = start_node('\n[limits]\nheader_seconds = 1\nconnections = 50\n' + KEYS)
    with contextlib.ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(Peer(node))
        until(lambda: serves(node), "a place for somebody who speaks", 20)
    until(lambda: serves(node), "a place when they have gone", 20)


def serves(node):
    with Peer(node) as peer:
        return b" 200 " in peer.send(head("GET", "/health", "Connection: close")).read()


def test_an_answer_that_nobody_takes_is_given_up(hasty):
    """Pipelined requests whose answers are not read do not pile up."""
    asked = head("GET", "/metrics") * 200
    with Peer(hasty) as peer:
        peer.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(500):
                peer.socket.sendall(asked)
        hasty.check()
        until(lambda: gone(peer), "the end of a connection that takes nothing", 20)
    hasty.check()


def gone(peer):
    peer.socket.settimeout(0.1)
    try:
        peer.socket.sendall(b"x")
        return False
    except TimeoutError:
        return False
    except ConnectionError:
        return True
