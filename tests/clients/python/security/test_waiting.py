"""Requests that wait for an event are answered by what their credential may read when the event comes, not when they came."""

import math
import time

import pytest
import tokens
from attempts import await_time
from nodes import SECRET, bearer
from wire import Peer, head, status

LIFE = 2  # seconds that a token is good for
WAITS = {
    "topic": ("/v1/topics/victim.wait?from=now&wait=10", "victim.wait", {"note": SECRET}),
    "channel": ("/v1/events?channels=teams&wait=10", "channels.teams", {"type": "team.created", "data": {"name": SECRET}}),
}


@pytest.fixture(params=WAITS)
def wait(request, start_node):
    """A node, a path at which nothing is there yet, and how something comes."""
    target, topic, event = WAITS[request.param]
    node = start_node()
    return node, target, lambda: node.publish(topic, event)


def ask(node, target, token):
    peer = Peer(node)
    peer.send(head("GET", target, *(f"{name}: {value}" for name, value in bearer(token).items()), "Connection: close"))
    assert peer.read(quiet=0.5) == b"", "it does not wait"
    return peer


def test_who_may_is_answered(wait):
    node, target, happen = wait
    with ask(node, target, tokens.token()) as peer:
        happen()
        assert SECRET.encode() in peer.read_to_end()


def test_who_has_expired_meanwhile_is_not(wait):
    node, target, happen = wait
    end = math.ceil(time.time()) + LIFE
    with ask(node, target, tokens.token(body=tokens.claims(exp=end))) as peer:
        await_time(end)
        happen()
        refused(peer)


def test_who_was_revoked_meanwhile_is_not(wait):
    node, target, happen = wait
    with ask(node, target, tokens.token(body=tokens.claims(jti="t-1"))) as peer:
        assert node.http.post("/v1/revocations", json={"token_id": "t-1"}).status_code == 200
        happen()
        refused(peer)


def refused(peer):
    seen = peer.read_to_end()
    assert status(seen) == 401 and SECRET.encode() not in seen, seen
