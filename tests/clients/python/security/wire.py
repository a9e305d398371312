"""Bytes on a socket, right ones and wrong ones: what no decent client library would send."""

import base64
import contextlib
import json
import os
import socket
import struct
import time

from server import PATIENCE

QUIET = 0.4  # seconds without a byte after which nothing more is expected
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Peer:
    """A socket to a server, from an address of this machine."""

    def __init__(self, node, source=None):
        host, port = node.url.removeprefix("http://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), PATIENCE, source_address=source and (source, 0))
        self.seen = b""
        self.ended = False

    def send(self, data):
        """Sends what the server is ready to take; it may well hang up before the end."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
        return self

    def read(self, until=None, quiet=QUIET, done=lambda stream: False):
        """All that has come once the server ends, or nothing came for a while, or `until` was seen, or it is `done`."""
        deadline = time.monotonic() + PATIENCE
        while not self.ended and time.monotonic() < deadline and not (until and until in self.seen):
            if done(self.seen):
                break
            if quiet < PATIENCE and until is None and answered(self.seen):
                quiet = 0.02
            self.socket.settimeout(PATIENCE if until else quiet)
            try:
                piece = self.socket.recv(65536)
            except TimeoutError:
                break
            except ConnectionError:
                piece = b""
            self.seen += piece
            self.ended = not piece
        return self.seen

    def read_to_end(self):
        """All that comes until the server hangs up, which it must."""
        self.read(quiet=PATIENCE)
        assert self.ended, f"the server keeps the connection; it said {self.seen[:300]!r}"
        return self.seen

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def head(method, target, *lines, host="localhost"):
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


def upgrade(target, *lines):
    key = base64.b64encode(os.urandom(16)).decode()
    wanted = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    return head("GET", target, *wanted, *lines)


def frame(payload, opcode=TEXT, fin=True, rsv=0, masked=True, length=None):
    """One frame of a client; `length` is what it claims, if that is not the truth."""
    size = len(payload) if length is None else length
    first = (fin << 7) | (rsv << 4) | opcode
    if size < 126:
        out = bytes([first, masked << 7 | size])
    elif size < 1 << 16:
        out = bytes([first, masked << 7 | 126]) + struct.pack(">H", size)
    else:
        out = bytes([first, masked << 7 | 127]) + struct.pack(">Q", size)
    if not masked:
        return out + payload
    mask = os.urandom(4)
    return out + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))


def message(**members):
    return frame(json.dumps(members).encode())


def frames(stream):
    """The frames behind the head of an answer, as (opcode, payload)."""
    rest, found = stream.partition(b"\r\n\r\n")[2], []
    while len(rest) >= 2:
        size, at = rest[1] & 127, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(rest[2:at], "big")
        if len(rest) < at + size:
            break
        found.append((rest[0] & 15, rest[at : at + size]))
        rest = rest[at + size :]
    return found


def closed(stream):
    """Code and reason of the close frame, if there is one."""
    for opcode, payload in frames(stream):
        if opcode == CLOSE:
            return int.from_bytes(payload[:2], "big"), payload[2:].decode()
    return None


def begun(stream):
    """Whether something has been said: an answer, or the first frame or chunk of a stream."""
    start, _, rest = stream.partition(b"\r\n\r\n")
    if status(stream) == 101:
        return bool(frames(stream))
    return answered(stream) or (b"transfer-encoding: chunked" in start.lower() and bool(rest))


def ponged(stream):
    """How many pings have been answered."""
    return sum(opcode == PONG for opcode, _ in frames(stream))


def answered(stream):
    """Whether an answer that is no stream is there as a whole, or a stream is closed."""
    if status(stream) == 101:
        return closed(stream) is not None
    start, _, body = stream.partition(b"\r\n\r\n")
    sizes = [line[15:] for line in start.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(sizes) and len(body) >= int(sizes[0])


def status(stream):
    """The status of the first answer; 0 when there is none."""
    line = stream.split(b"\r\n", 1)[0].split(b" ")
    return int(line[1]) if line[0].startswith(b"HTTP/") else 0
