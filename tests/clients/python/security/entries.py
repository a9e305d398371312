"""The ways into a node: for each, what a client sends, and the topic whose events it gets."""

import dataclasses
import json
from urllib.parse import quote

from nodes import SECRET
from wire import CLOSE, Peer, closed, frame, frames, head, status, upgrade

NATIVE = {"note": SECRET}


@dataclasses.dataclass(frozen=True)
class Entry:
    """`{token}` in a message is the credential; one that has none in its messages gets it by header or query."""

    name: str
    target: str
    topic: str = "victim.a"
    event: object = dataclasses.field(default_factory=lambda: NATIVE)
    upgraded: bool = False
    method: str = "GET"
    accept: str = "*/*"
    body: object = None
    messages: tuple = ()
    live: bool = True

    def request(self, token, by):
        """The bytes of a client with this credential, brought in this way."""
        target, lines = self.target, ["Connection: close"] if not self.upgraded else []
        if token is not None and by == "query":
            target += ("&" if "?" in target else "?") + "token=" + quote(token, safe="")
        if token is not None and by == "header":
            lines.append(f"Authorization: Bearer {token}")
        if self.upgraded:
            return upgrade(target, *lines) + b"".join(map(self.frame, self.messages))
        body = b"" if self.body is None else json.dumps(self.body).encode()
        if body:
            lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
        return head(self.method, target, f"Accept: {self.accept}", *lines) + body

    def frame(self, message):
        return frame(json.dumps(message).encode())


def websocket(name, target, *messages, **rest):
    return Entry(name, target, upgraded=True, messages=messages, **rest)


def subscribing(name, **request):
    return websocket(name, "/v1/topics", {"type": "subscribe"} | request)


SSE, LINES = "text/event-stream", "application/x-ndjson"
TOPICS = [
    websocket("topic over WebSocket", "/v1/topics/victim.a"),
    websocket("topic over WebSocket from the oldest on", "/v1/topics/victim.a?from=oldest", live=False),
    Entry("topic over SSE", "/v1/topics/victim.a", accept=SSE),
    Entry("topic over SSE after a position", "/v1/topics/victim.a?after=0", accept=SSE, live=False),
    Entry("topic as NDJSON", "/v1/topics/victim.a", accept=LINES),
    Entry("history", "/v1/topics/victim.a", live=False),
    Entry("long-poll", "/v1/topics/victim.a?from=now&wait=5"),
    websocket("pattern over WebSocket", "/v1/topics/victim.**"),
    websocket("everything over WebSocket", "/v1/topics/**"),
    Entry("pattern over SSE", "/v1/topics/*.a", accept=SSE),
    subscribing("subscription", topic="victim.a"),
    subscribing("subscription since a time", topic="victim.a", since="2020-01-01T00:00:00Z", live=False),
    subscribing("subscription of a pattern", topic="victim.*"),
    subscribing("subscription with positions", topic="victim.**", positions={"victim.a": "0"}, live=False),
    Entry("many topics over SSE", "/v1/topics?topic=victim.a", accept=SSE),
    Entry("many topics over SSE with positions", "/v1/topics?topic=victim.a&positions=victim.a=0", accept=SSE, live=False),
    Entry("pattern among many over SSE", "/v1/topics?topic=victim.*&topic=victim.b", accept=SSE),
]  # fmt: skip
ENTRIES = TOPICS


def attempt(node, entry, token, by):
    """What a client gets that tries to enter, also of an event that is published meanwhile."""
    with Peer(node) as peer:
        peer.send(entry.request(token, by)).read(quiet=0.2)
        if not peer.ended:
            node.publish(entry.topic, entry.event)
        return peer.read()


def refused(stream):
    """Whether a client was told no: by status, by close code, or by a message."""
    if status(stream) != 101:
        return status(stream) in (400, 401, 403, 404)
    code, _ = closed(stream) or (None, None)
    texts = [json.loads(payload) for opcode, payload in frames(stream) if opcode != CLOSE]
    return code == 1008 or (bool(texts) and any(says_no(text) for text in texts))


def says_no(text):
    data = text.get("data") or {}
    return text.get("type") == "error" or bool(text.get("denied") or (isinstance(data, dict) and data.get("denied")))
