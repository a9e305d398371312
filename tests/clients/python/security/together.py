"""Attacks that take time, tried at all entries at once: by clients that never finish, and by clients whose token ends."""

import dataclasses
import json
import math
import time

import tokens
from attempts import await_time
from entries import ENTRIES
from nodes import BACKEND
from server import PATIENCE
from wire import Peer, frame, status

KEY = f"Authorization: Bearer {BACKEND}"
LIFE = 5  # seconds that a token is good for
TICK = 0.25  # seconds: how much later than that a stream may end


def beginnings(entry):
    """Requests that are never finished."""
    whole = entry.opening(BACKEND, "header")
    yield b""
    yield whole[:20]
    yield whole[: whole.index(b"\r\n\r\n") + 2]
    if entry.body is not None:
        yield whole[:-1]
    if entry.upgraded:
        yield whole + frame(b"x" * 1000)[:50]


def slow_clients(node, entries=ENTRIES, seconds=PATIENCE):
    """Entry → whether each slow client was given up. One more byte now and then buys no time."""
    peers = [(entry.name, Peer(node).send(start), start) for entry in entries for start in beginnings(entry)]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not all(peer.ended for _, peer, _ in peers):
        for _, peer, start in peers:
            if not peer.ended:
                peer.send(b"x" if b"\r\n" not in start else b"").read(quiet=0.001)
        assert node.http.get("/health").status_code == 200
        time.sleep(0.1)
    return collected((name, peer.ended) for name, peer, _ in peers)


def collected(pairs):
    found = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


@dataclasses.dataclass
class Late:
    """A client whose token ends while it is connected. `held`: what it sends when that has happened."""

    what: str
    entry: object
    peer: Peer
    held: bytes = b""
    before: int = 0


def late_clients(node, entries, token):
    """Those that read already, those that begin to read only then, and those that come only then."""
    for entry in entries:
        ask = lambda: entry.request(token, "header")  # noqa: E731, B023
        if not entry.publishes and (entry.streams or "wait=" in entry.target):
            yield Late("reading", entry, Peer(node).send(ask()))
        if entry.messages:
            opening, following = entry.opening(token, "header"), entry.following()
            yield Late("connected", entry, Peer(node).send(opening), following)
        yield Late("coming", entry, Peer(node), ask())


def expired_clients(node, entries=ENTRIES, life=LIFE):
    """Entry → what each client was told, and how much of it before its token had ended; and the topics to which one of them has published."""
    publish_all(node, entries)
    end = math.ceil(time.time()) + life
    clients = list(late_clients(node, entries, tokens.token(body=tokens.claims(exp=end))))
    settle([late for late in clients if late.what != "coming"])
    assert time.time() < end, "the token ended before everybody was connected"
    before = {entry.topic: node.newest(entry.topic) for entry in entries}
    await_time(end + 0.01)
    for late in clients:
        late.peer.send(late.held)
    await_time(end + 2 * TICK)
    sent = publish_all(node, entries)
    outcomes = [(late.entry.name, (late.what, told(late), late.before)) for late in clients]
    forged = {topic for topic in before if node.newest(topic) - before[topic] != sent.get(topic, 0)}
    return collected((name, outcome) for name, outcome in outcomes), forged


def settle(clients):
    """Waits until what streams has begun, and notes what has come until then."""
    for late in clients:
        if late.entry.streams:
            late.peer.read(quiet=PATIENCE, done=lambda seen: b"\r\n\r\n" in seen)
            assert status(late.peer.seen) in (101, 200), late
    time.sleep(0.5)
    for late in clients:
        late.before = len(late.peer.read(quiet=0.005))


def publish_all(node, entries):
    """Publishes what every reader could get; returns how much to each topic."""
    distinct = {json.dumps([entry.topic, entry.event]): entry for entry in entries if not entry.publishes}
    for entry in distinct.values():
        node.publish(entry.topic, entry.event)
    return {topic: len(events) for topic, events in collected((entry.topic, 1) for entry in distinct.values()).items()}


def told(late):
    seen = late.peer.read(quiet=1)
    late.peer.close()
    return seen
