"""Names that would like to be more than names, and what of them may reach a reader."""

import json

from attempts import frames_of_text
from entries import LINES, SSE

FORGED_NAMES = [
    "x\nevent: close\ndata: forged\n\n",
    "x\r\rid: 1:1\rdata: forged\r\r",
    "x\r\n\r\nHTTP/1.1 299 forged\r\nSet-Cookie: forged=1\r\n\r\n",
    "x\0y",
    "x\u2028data: forged\u2029\u0085",
    'forged","forged":"forged',
    'x\\","forged":"\\u000a\\',
    "</script><script>forged()</script>",
]
INJECTED = "%0d%0aSet-Cookie:%20forged=1%0d%0a%0d%0aHTTP/1.1%20299%20forged"


def forged_targets(entry):
    """The entry's path and parameters with more in them than belongs there."""
    path, _, query = entry.target.partition("?")
    yield f"{path}{INJECTED}" + (f"?{query}" if query else "")
    yield f"{path.rsplit('/', 1)[0]}/{INJECTED}"
    yield entry.target + ("&" if query else "?") + f"x={INJECTED}"
    for name, _, _ in (pair.partition("=") for pair in query.split("&") if pair):
        yield f"{path}?{name}={INJECTED}"


def named(entry, name):
    """An event of the entry's protocol with this name, and with it in its data."""
    return {
        "topics": lambda: {"type": name, "id": name, "data": {name: name}},
        "chat": lambda: {"type": name, "id": name, "data": {name: name}},
        "stream": lambda: entry.event | {name: name} | ({"channel_id": name} if "channel_id" in entry.event else {"level": name}),
        "events": lambda: {"event_type": name, "tool_name": name, "event_id": name},
        "channels": lambda: {"type": f"session.{name}", "id": name, "data": {name: name}},
        "analysis": lambda: {"event_type": name, "event_id": name, "data": {name: name}},
    }[entry.protocol]()


def check_names(entry, stream):
    """Every line is a line of its format and every message is one, and none has a member that a name has made."""
    messages = list(of_sse(stream) if entry.accept == SSE else of_others(entry, stream))
    assert messages, stream
    for message in messages:
        check_members(message)


def check_members(value):
    if isinstance(value, list):
        for one in value:
            check_members(one)
    elif isinstance(value, dict):
        assert value.get("forged") != "forged" and not str(value.get("forged")).startswith("\n"), value
        for one in value.values():
            check_members(one)


def of_sse(stream):
    for line in sse_lines(stream):
        name, _, value = line.partition(": ")
        assert name in ("id", "event", "data", "retry", "") or line.startswith(":"), line
        assert (name, value) not in [("data", "forged"), ("event", "close"), ("id", "1:1")], line
        if name == "data":
            yield json.loads(value)


def of_others(entry, stream):
    if entry.upgraded:
        return frames_of_text(stream)
    body = unchunked(stream).decode()
    return [json.loads(line) for line in (body.strip().split("\n") if entry.accept == LINES else [body])]


def sse_lines(stream):
    """The lines that a parser of SSE sees; it knows CR, LF and both."""
    return unchunked(stream).replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode().split("\n")


def unchunked(stream):
    """A body without what transports it, up to the last whole chunk."""
    start, _, rest = stream.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in start.lower():
        return rest
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if len(rest) < length + 2:
            break
        body, rest = body + rest[:length], rest[length + 2 :]
    return body
