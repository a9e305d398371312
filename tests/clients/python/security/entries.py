"""The ways into a node: for each, what a client sends, and the topic whose events it gets."""

import dataclasses
import json
from urllib.parse import quote

from nodes import COOKIE, SECRET
from wire import CLOSE, PING, PONG, Peer, answered, begun, closed, frame, frames, head, ponged, status, upgrade

NATIVE = {"note": SECRET}


BROUGHT = {
    "header": lambda token: f"Authorization: Bearer {token}",
    "subprotocol": lambda token: f"Sec-WebSocket-Protocol: v1, bearer.{quote(token, safe='')}",
    "cookie": lambda token: f"Cookie: theme=dark; {COOKIE}={token}",
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """`partial`: who may read something else is let in, but gets nothing of the victim's."""

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
    partial: bool = False

    def ways(self):
        """How a credential can be brought to it."""
        return ["header", "query", "cookie"] + (["subprotocol"] if self.upgraded else [])

    def request(self, token, by):
        """The bytes of a client with this credential, brought in this way."""
        target, lines = self.target, ["Connection: close"] if not self.upgraded else []
        if token is not None and by == "query":
            target += ("&" if "?" in target else "?") + "token=" + quote(token, safe="")
        elif token is not None:
            lines.append(BROUGHT[by](token))
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

HEARD = {"message_id": "m", "channel_id": "c", "author_id": "a", "content": SECRET, "direction": "incoming"}
LOGGED = {"level": "INFO", "logger_name": "l", "message": SECRET}


def message_stream(name, target, *messages, **rest):
    return websocket(name, f"/v1/stream/{target}", *messages, topic="stream.message", event=HEARD, **rest)


STREAM = [
    message_stream("messages", "messages"),
    message_stream("messages from the first on", "messages?last_sequence=0", live=False),
    message_stream("messages since a time", "messages?since=2020-01-01T00:00:00Z", live=False),
    message_stream("all streams", "all", {"type": "subscribe", "streams": ["message"]}),
    message_stream("all streams, with a place", "all", {"type": "subscribe", "streams": ["message"], "last_sequence": {"message": 0}}, live=False),
    websocket("logs", "/v1/stream/logs", topic="stream.log", event=LOGGED),
    websocket("logs among all", "/v1/stream/all", {"type": "subscribe", "streams": ["log"]}, topic="stream.log", event=LOGGED),
    websocket("logs by the native protocol", "/v1/topics/stream.log", topic="stream.log", event=LOGGED),
]  # fmt: skip

DONE = {"event_type": "tool_call", "tool_name": "Edit", "session_id": "b", "input_summary": SECRET}


def session(name, target, **rest):
    return Entry(name, target, topic="events.b", event=DONE, **rest)


EVENTS = [
    session("session", "/ws/events/b", upgraded=True),
    session("session in single events", "/ws/events/b?batch_size=1", upgraded=True),
    session("session since a time", "/ws/events/b?since=2020-01-01T00:00:00Z", upgraded=True, live=False),
    session("session under an encoded name", "/ws/events/%62", upgraded=True),
    session("all sessions", "/ws/events", upgraded=True),
    session("all sessions since a time", "/ws/events?since=2020-01-01T00:00:00Z", upgraded=True, live=False),
    session("events of a session", "/api/sessions/b/events", live=False),
    session("session by the native protocol", "/v1/topics/events.b", upgraded=True),
    session("all sessions by the native protocol", "/v1/topics/events", accept=SSE),
    session("session by a pattern", "/v1/topics/events.*", accept=SSE),
]
ENTRIES = TOPICS + STREAM + EVENTS


def attempt(node, entry, token, by):
    """What a client gets that tries to enter, also of an event that is published meanwhile."""
    with Peer(node) as peer:
        peer.send(entry.request(token, by)).read(quiet=0.3, done=begun)
        if not peer.ended and not answered(peer.seen):
            node.publish(entry.topic, entry.event)
            if entry.upgraded:
                peer.send(frame(b"", opcode=PING)).read(quiet=1, done=ponged)
            peer.read(quiet=0.1)
        return peer.seen


def refused(stream):
    """Whether a client was told no: by status, by close code, or by a message."""
    if status(stream) != 101:
        return status(stream) in (400, 401, 403, 404)
    code, _ = closed(stream) or (None, None)
    texts = [json.loads(payload) for opcode, payload in frames(stream) if opcode not in (CLOSE, PONG)]
    return code == 1008 or (bool(texts) and any(says_no(text) for text in texts))


def says_no(text):
    data = text.get("data") or {}
    return text.get("type") == "error" or bool(text.get("denied") or (isinstance(data, dict) and data.get("denied")))
