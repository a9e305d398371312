"""Trying to get in, and what that has come to: whether something was said, read or published."""

import json
import time

from nodes import SECRET
from wire import CLOSE, PING, PONG, Peer, answered, begun, closed, frame, frames, ponged, status


def attempt(node, entry, token, by, *lines):
    """What a client gets that tries to enter, also of an event that is published meanwhile."""
    with Peer(node) as peer:
        peer.send(entry.request(token, by, *lines))
        return meanwhile(node, entry, peer)


def meanwhile(node, entry, peer):
    """What a client gets that has asked, also of an event that is published when it might listen."""
    listen(entry, peer)
    if not peer.ended and not answered(peer.seen) and not entry.publishes:
        node.publish(entry.topic, entry.event)
        if entry.upgraded:
            peer.send(frame(b"", opcode=PING)).read(quiet=1, done=lambda seen: ponged(seen) > 1)
        peer.read(quiet=0.1)
    return peer.seen


def listen(entry, peer):
    """Waits until an answer is there, or what was sent over a WebSocket has been dealt with, or a stream has begun."""
    if entry.upgraded:
        peer.send(frame(b"", opcode=PING)).read(quiet=1, done=lambda seen: ponged(seen) or closed(seen))
    else:
        peer.read(quiet=0.3, done=begun)


def enters(node, entry, token, by, *lines):
    """Whether this client gets what is the victim's, or its event is published."""
    before = node.newest(entry.topic)
    if not entry.publishes and not entry.live:
        node.publish(entry.topic, entry.event)
    with Peer(node) as peer:
        peer.send(entry.request(token, by, *lines))
        listen(entry, peer)
        if entry.publishes:
            return node.newest(entry.topic) > before
        if entry.live:
            node.publish(entry.topic, entry.event)
        return SECRET.encode() in peer.read(until=SECRET.encode())


def refused(stream):
    """Whether a client was told no: by status, by close code, or by a message."""
    if status(stream) != 101:
        return status(stream) in (400, 401, 403, 404)
    code, _ = closed(stream) or (None, None)
    return code == 1008 or any(says_no(text) for text in frames_of_text(stream))


def frames_of_text(stream):
    """The messages of a WebSocket."""
    return [json.loads(payload) for opcode, payload in frames(stream) if opcode not in (CLOSE, PING, PONG)]


def says_no(text):
    """Whether a message refuses something. A gap, which is an error in the stream protocol, refuses nothing."""
    data = text.get("data")
    data = data if isinstance(data, dict) else {}
    wrong = text.get("type") == "error" and data.get("message") != "gap"
    return wrong or text.get("published") == 0 or bool(text.get("denied") or data.get("denied"))


def keep_out(node, entry, credential, by, *lines, partial=False):
    """Nothing of the victim's comes out, nothing goes in, and the client is told so."""
    before = node.newest(entry.topic) if entry.publishes else None
    seen = attempt(node, entry, credential, by, *lines)
    assert SECRET.encode() not in seen, f"{by}: {seen!r}"
    assert partial or refused(seen) or b'"published":0' in seen, f"{by}: {seen!r}"
    assert before is None or node.newest(entry.topic) == before, f"{by}: published, and answered {seen!r}"


def await_time(moment):
    """Waits until it is so late, in Unix seconds."""
    time.sleep(max(0, moment - time.time()))
