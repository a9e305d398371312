"""The ways into a node: for each, what a client sends, and the topic whose events it reads or publishes to."""

import dataclasses
import json
from typing import Any
from urllib.parse import quote

from nodes import COOKIE, SECRET
from wire import frame, head, upgrade

NATIVE = {"note": SECRET}
BROUGHT = {
    "header": lambda token: f"Authorization: Bearer {token}",
    "subprotocol": lambda token: f"Sec-WebSocket-Protocol: v1, bearer.{quote(token, safe='')}",
    "cookie": lambda token: f"Cookie: theme=dark; {COOKIE}={token}",
}
SSE, LINES = "text/event-stream", "application/x-ndjson"
LONG_AGO = "2020-01-01T00:00:00Z"


@dataclasses.dataclass(frozen=True)
class Entry:
    """`live`: what is published after it has been entered comes; else only what was there before. `partial`: who may read
    something else is let in, but gets nothing of the victim's. `publishes`: it is for sending, and `body` or `messages` are
    what is sent. `by_message`: it takes a credential as its first message too."""

    name: str
    target: str
    topic: str = "victim.a"
    event: Any = dataclasses.field(default_factory=lambda: NATIVE)
    upgraded: bool = False
    method: str = "GET"
    accept: str = "*/*"
    body: Any = None
    messages: tuple = ()
    live: bool = True
    partial: bool = False
    publishes: bool = False
    by_message: bool = False
    protocol: str = "topics"

    @property
    def transport(self):
        return "WebSocket" if self.upgraded else {SSE: "SSE", LINES: "NDJSON"}.get(self.accept, "REST")

    @property
    def streams(self):
        """Whether the connection goes on by itself, so that a credential can end meanwhile."""
        return self.upgraded or (self.live and self.accept in (SSE, LINES))

    def ways(self):
        """How a credential can be brought to it."""
        more = ["subprotocol"] * self.upgraded + ["message"] * self.by_message
        return ["header", "query", "cookie", *more]

    def request(self, token, by, *lines):
        """The bytes of a client with this credential, brought in this way."""
        return self.opening(token, by, *lines) + (self.following(token, by) if self.upgraded else b"")

    def opening(self, token, by, *lines):
        """The request, or the handshake."""
        target, lines = self.target, [*lines, *(["Connection: close"] * (not self.upgraded))]
        if token is not None and by in ("query", "ticket"):
            target += ("&" if "?" in target else "?") + ("ticket=" if by == "ticket" else "token=") + quote(token, safe="")
        elif token is not None and by != "message":
            lines.append(BROUGHT[by](token))
        if self.upgraded:
            return upgrade(target, *lines)
        body = b"" if self.body is None else json.dumps(self.body).encode()
        if body:
            lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
        return head(self.method, target, f"Accept: {self.accept}", *lines) + body

    def following(self, token=None, by=None):
        """The frames behind a handshake."""
        first = [{"type": "auth", "token": token}] if by == "message" and token is not None else []
        return b"".join(frame(json.dumps(message).encode()) for message in [*first, *self.messages])


def websocket(name, target, *messages, **rest):
    return Entry(name, target, upgraded=True, messages=messages, **rest)


def subscribing(name, **request):
    return websocket(name, "/v1/topics", {"type": "subscribe"} | request)


TOPICS = [
    websocket("topic over WebSocket", "/v1/topics/victim.a"),
    websocket("topic over WebSocket from the oldest on", "/v1/topics/victim.a?from=oldest", live=False),
    Entry("topic over SSE", "/v1/topics/victim.a", accept=SSE),
    Entry("topic over SSE after a position", "/v1/topics/victim.a?after=0", accept=SSE, live=False),
    Entry("topic as NDJSON", "/v1/topics/victim.a", accept=LINES),
    Entry("history", "/v1/topics/victim.a", live=False),
    Entry("long-poll", "/v1/topics/victim.a?from=now&wait=30"),
    Entry("list of topics", "/v1/topics?prefix=victim.", topic=f"victim.{SECRET}", live=False, partial=True),
    websocket("pattern over WebSocket", "/v1/topics/victim.**"),
    websocket("everything over WebSocket", "/v1/topics/**"),
    Entry("pattern over SSE", "/v1/topics/*.a", accept=SSE),
    subscribing("subscription", topic="victim.a"),
    subscribing("subscription since a time", topic="victim.a", since=LONG_AGO, live=False),
    subscribing("subscription of a pattern", topic="victim.*"),
    subscribing("subscription with positions", topic="victim.**", positions={"victim.a": "0"}, live=False),
    Entry("many topics over SSE", "/v1/topics?topic=victim.a", accept=SSE),
    Entry("many topics over SSE with positions", "/v1/topics?topic=victim.a&positions=victim.a=0", accept=SSE, live=False),
    Entry("pattern among many over SSE", "/v1/topics?topic=victim.*&topic=victim.b", accept=SSE),
]  # fmt: skip

HEARD = {"message_id": "m", "channel_id": "c", "author_id": "a", "content": SECRET, "direction": "incoming"}
LOGGED = {"level": "INFO", "logger_name": "l", "message": SECRET}
ALL = {"type": "subscribe", "streams": ["message"]}
OF_STREAM = {"topic": "stream.message", "event": HEARD, "protocol": "stream"}
OF_LOGS = {"topic": "stream.log", "event": LOGGED, "protocol": "stream"}
STREAM = [
    websocket("messages", "/v1/stream/messages", **OF_STREAM),
    websocket("messages from the first on", "/v1/stream/messages?last_sequence=0", **OF_STREAM, live=False),
    websocket("messages since a time", f"/v1/stream/messages?since={LONG_AGO}", **OF_STREAM, live=False),
    websocket("all streams", "/v1/stream/all", ALL, **OF_STREAM),
    websocket("all streams, with a place", "/v1/stream/all", ALL | {"last_sequence": {"message": 0}}, **OF_STREAM, live=False),
    Entry("messages over SSE", "/v1/topics/stream.message", accept=SSE, **OF_STREAM),
    Entry("messages by history", "/v1/topics/stream.message", **OF_STREAM, live=False),
    websocket("logs", "/v1/stream/logs", **OF_LOGS),
    websocket("logs among all", "/v1/stream/all", {"type": "subscribe", "streams": ["log"]}, **OF_LOGS),
    websocket("logs by the native protocol", "/v1/topics/stream.log", **OF_LOGS),
]  # fmt: skip

DONE = {"event_type": "tool_call", "tool_name": "Edit", "session_id": "b", "input_summary": SECRET}
OF_EVENTS = {"topic": "events.b", "event": DONE, "protocol": "events"}
NAMED = {"topic": f"events.{SECRET}", "event": DONE | {"session_id": SECRET}, "protocol": "events"}
EVENTS = [
    websocket("session", "/ws/events/b", **OF_EVENTS),
    websocket("session in single events", "/ws/events/b?batch_size=1", **OF_EVENTS),
    websocket("session since a time", f"/ws/events/b?since={LONG_AGO}", **OF_EVENTS, live=False),
    websocket("session under an encoded name", "/ws/events/%62", **OF_EVENTS),
    websocket("all sessions", "/ws/events", **OF_EVENTS),
    websocket("all sessions since a time", f"/ws/events?since={LONG_AGO}", **OF_EVENTS, live=False),
    Entry("events of a session", "/api/sessions/b/events", **OF_EVENTS, live=False),
    Entry("list of sessions", "/api/sessions", **NAMED, live=False, partial=True),
    Entry("metrics of sessions", "/api/websocket-metrics", **NAMED, live=False, partial=True),
    websocket("session by the native protocol", "/v1/topics/events.b", **OF_EVENTS),
    Entry("all sessions by the native protocol", "/v1/topics/events", accept=SSE, **OF_EVENTS),
    Entry("session by a pattern", "/v1/topics/events.*", accept=SSE, **OF_EVENTS),
]

STARTED = {"type": "session.started", "data": {"session_id": SECRET}}
OF_CHANNELS = {"topic": "channels.sessions", "event": STARTED, "protocol": "channels"}
ASKED = {"type": "subscribe", "channels": ["sessions"]}
CHANNELS = [
    websocket("channel", "/v1/ws", ASKED, **OF_CHANNELS, by_message=True),
    websocket("channel under /api", "/api/v1/ws", ASKED, **OF_CHANNELS, by_message=True),
    websocket("channel since a time", "/v1/ws", ASKED | {"since": LONG_AGO}, **OF_CHANNELS, by_message=True, live=False),
    Entry("channel over SSE", "/v1/events/subscribe?channels=sessions", accept=SSE, **OF_CHANNELS),
    Entry("channels over SSE", "/api/v1/events/subscribe", accept=SSE, **OF_CHANNELS, partial=True),
    Entry("channel over SSE since a time", f"/v1/events/subscribe?channels=sessions&since={LONG_AGO}", accept=SSE, **OF_CHANNELS, live=False),
    Entry("events of channels", f"/v1/events?since={LONG_AGO}", **OF_CHANNELS, live=False, partial=True),
    Entry("long-poll of a channel", "/v1/events?channels=sessions&wait=30", **OF_CHANNELS),
    Entry("replay", "/v1/events/replay", method="POST", body={"since": LONG_AGO}, **OF_CHANNELS, live=False, partial=True),
    websocket("channel by the native protocol", "/v1/topics/channels.sessions", **OF_CHANNELS),
    Entry("channels by a pattern", "/v1/topics/channels.*", accept=SSE, **OF_CHANNELS),
]  # fmt: skip

FOUND = {"event_type": "agent_finding", "data": {"description": SECRET}}
BEGUN = {"event_type": "pipeline_started", "data": {"bill_id": SECRET, "agents": []}}
OF_ANALYSIS = {"topic": "analysis.b", "event": FOUND, "protocol": "analysis"}
ANALYSIS_PATH = "/api/v1/ws/analysis/b"
ANALYSIS = [
    websocket("analysis", ANALYSIS_PATH, **OF_ANALYSIS),
    websocket("analysis from the first on", f"{ANALYSIS_PATH}?last_sequence=0", **OF_ANALYSIS, live=False),
    websocket("progress", ANALYSIS_PATH, {"type": "progress_request"}, **OF_ANALYSIS | {"event": BEGUN}, live=False),
    Entry("status of an analysis", f"{ANALYSIS_PATH}/status", **OF_ANALYSIS | {"event": BEGUN}, live=False),
    websocket("analysis by the native protocol", "/v1/topics/analysis.b", **OF_ANALYSIS),
    Entry("analysis over SSE", "/v1/topics/analysis.b", accept=SSE, **OF_ANALYSIS),
    Entry("analyses by a pattern", "/v1/topics/analysis.*", accept=SSE, **OF_ANALYSIS),
]

OVERHEARD = {"type": "oven.hot", "data": {"note": SECRET}}
OF_CHAT = {"topic": "rooms.b", "event": OVERHEARD, "protocol": "chat"}
OF_SESSION = {"topic": "sessions.victim.b", "event": OVERHEARD, "protocol": "chat"}
CHAT = [
    websocket("room", "/ws/chat", {"type": "join", "session_id": "room:b"}, **OF_CHAT, by_message=True),
    websocket("room by the native protocol", "/v1/topics/rooms.b", **OF_CHAT),
    Entry("room over SSE", "/v1/topics/rooms.b", accept=SSE, **OF_CHAT),
    Entry("history of a room", "/v1/topics/rooms.b", **OF_CHAT, live=False),
    Entry("chat of another over SSE", "/v1/topics/sessions.victim.b", accept=SSE, **OF_SESSION),
    websocket("chats by a pattern", "/v1/topics/sessions.**", **OF_SESSION),
]
READING = TOPICS + STREAM + EVENTS + CHANNELS + ANALYSIS + CHAT

LINE = {"topic": "victim.a", "data": "forged"}


def posting(name, target, body, **rest):
    return Entry(name, target, method="POST", body=body, publishes=True, live=False, **rest)


def sending(name, target, *messages, **rest):
    return websocket(name, target, *messages, publishes=True, live=False, **rest)


PUBLISHING = [
    posting("event", "/v1/topics/victim.a", "forged"),
    posting("event under an encoded name", "/v1/topics/%76ictim%2Ea", "forged"),
    posting("lines", "/v1/publish", LINE),
    sending("lines over WebSocket", "/v1/publish", LINE),
    sending("lines over WebSocket with a topic", "/v1/publish?topic=victim.a", {"data": "forged"}),
    sending("request of a subscriber", "/v1/topics", {"type": "publish"} | LINE),
    posting("event of a stream", "/v1/stream/messages", HEARD, **OF_STREAM),
    posting("event of a session", "/api/sessions/b/events", DONE, **OF_EVENTS),
    posting("event that names its session", "/api/events", DONE, **OF_EVENTS),
    posting("event of a channel", "/v1/channels/sessions/events", STARTED, **OF_CHANNELS),
    posting("event that names its channel", "/api/v1/events", STARTED, **OF_CHANNELS),
    posting("event of an analysis", f"{ANALYSIS_PATH}/events", FOUND, **OF_ANALYSIS),
    posting("question in a room", "/api/v1/chat", {"message": "forged", "session_id": "room:b"}, **OF_CHAT),
    sending("word in a room", "/ws/chat", {"type": "say", "message": "forged", "session_id": "room:b"}, **OF_CHAT, by_message=True),
]
ENTRIES = READING + PUBLISHING
