"""A key that may hear what comes, but not what was, cannot reach back by any way of resuming."""

import pytest
from entries import SSE, LINES, Entry, subscribing, websocket
from nodes import KEYS, SECRET, key
from wire import Peer

LISTENER = "key-of-a-listener"
CONFIG = KEYS + key("listener", LISTENER, subscribe=["victim.**"], history=[])
REACHING_BACK = [
    Entry("page", "/v1/topics/victim.a"),
    Entry("long-poll", "/v1/topics/victim.a?after=0&wait=1"),
    Entry("SSE from the oldest", "/v1/topics/victim.a?from=oldest", accept=SSE),
    Entry("SSE after", "/v1/topics/victim.a?after=0", accept=SSE),
    Entry("SSE since", "/v1/topics/victim.a?since=0", accept=SSE),
    Entry("SSE by id", "/v1/topics/victim.a?Last-Event-ID=0", accept=SSE),
    Entry("NDJSON after", "/v1/topics/victim.a?after=0", accept=LINES),
    Entry("pattern from the oldest", "/v1/topics/victim.*?from=oldest", accept=SSE),
    websocket("WebSocket from the oldest", "/v1/topics/victim.a?from=oldest"),
    websocket("WebSocket after", "/v1/topics/victim.a?after=0"),
    subscribing("subscription after", topic="victim.a", after="0"),
    subscribing("subscription since", topic="victim.a", since=0),
    subscribing("subscription from the oldest", topic="victim.a", **{"from": "oldest"}),
    subscribing("pattern with positions", topic="victim.*", positions={"victim.a": "0"}),
    subscribing("pattern with other positions", topic="victim.*", positions={"victim.b": "0"}),
    subscribing("pattern from the oldest", topic="victim.*", **{"from": "oldest"}),
    Entry("many over SSE, positions", "/v1/topics?topic=victim.a&positions=victim.a=0", accept=SSE),
    Entry("many over SSE, from the oldest", "/v1/topics?topic=victim.a&from=oldest", accept=SSE),
    Entry("many over SSE, since", "/v1/topics?topic=victim.a&since=0", accept=SSE),
    Entry("patterns over SSE, resumed nowhere", "/v1/topics?topic=victim.*&positions=-", accept=SSE),
    Entry("patterns over SSE, positions", "/v1/topics?topic=victim.*&positions=victim.a=0", accept=SSE),
]


@pytest.fixture(scope="module")
def running():
    from nodes import Node

    node = Node(CONFIG)
    node.publish("victim.a", {"note": SECRET})
    yield node
    node.close()


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.name) for entry in REACHING_BACK])
def test_the_past_stays_closed(running, entry):
    with Peer(running) as peer:
        seen = peer.send(entry.request(LISTENER, "header")).read()
    assert SECRET.encode() not in seen, seen
    running.check()


def test_the_present_is_open(running):
    with Peer(running) as peer:
        peer.send(Entry("", "/v1/topics/victim.a", accept=SSE).request(LISTENER, "header")).read()
        running.publish("victim.a", "now")
        assert b'"data":"now"' in peer.read(until=b'"now"')
