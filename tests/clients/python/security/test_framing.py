"""WebSocket frames that break RFC 6455 or 7692. Each ends its own connection with the right code, and nothing else."""

import zlib

import pytest
from nodes import BACKEND
from wire import BINARY, CLOSE, PING, TEXT, Peer, closed, frame, frames, message, upgrade

KEY = f"Authorization: Bearer {BACKEND}"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
HELLO = b'{"type":"ping"}'


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


ROWS = {
    "not masked": (frame(HELLO, masked=False), 1002),
    "not masked, and empty": (frame(b"", masked=False), 1002),
    "a bit of an extension that was not agreed": (frame(HELLO, rsv=4), 1002),
    "second reserved bit": (frame(HELLO, rsv=2), 1002),
    "third reserved bit": (frame(HELLO, rsv=1), 1002),
    "reserved opcode": (frame(HELLO, opcode=3), 1002),
    "reserved control opcode": (frame(HELLO, opcode=11), 1002),
    "a ping in fragments": (frame(b"x", opcode=PING, fin=False), 1002),
    "a ping that is too long": (frame(b"x" * 126, opcode=PING), 1002),
    "a continuation of nothing": (frame(HELLO, opcode=0), 1002),
    "a message within a message": (frame(b"{", fin=False) + frame(HELLO), 1002),
    "a length that is not the shortest": (b"\x81\xfe\x00\x05" + b"\0" * 9, 1002),
    "text that is no UTF-8": (frame(b'{"type":"\xff"}'), 1007),
    "text that is no UTF-8 across fragments": (frame(b"\xc3", fin=False) + frame(b"\x28", opcode=0), 1007),
    "a surrogate": (frame(b'{"type":"\xed\xa0\x80"}'), 1007),
    "binary": (frame(HELLO, opcode=BINARY), 1003),
    "a close of one byte": (frame(b"\x03", opcode=CLOSE), 1002),
    "a close with 1005": (frame(b"\x03\xed", opcode=CLOSE), 1002),
    "a close with 1006": (frame(b"\x03\xee", opcode=CLOSE), 1002),
    "a close with 999": (frame(b"\x03\xe7", opcode=CLOSE), 1002),
    "a close whose reason is no UTF-8": (frame(b"\x03\xe8\xff", opcode=CLOSE), 1007),
}


@pytest.mark.parametrize("target", ["/v1/topics", "/v1/topics/good.a", "/v1/publish?topic=good.a"])
@pytest.mark.parametrize("name", ROWS)
def test_violations(node, name, target):
    sent, code = ROWS[name]
    with Peer(node) as peer:
        seen = peer.send(upgrade(target, KEY) + sent).read_to_end()
    if (target, name) == ("/v1/publish?topic=good.a", "binary") and closed(seen) is None:
        pytest.skip("publishers may send binary")
    got, reason = closed(seen)
    assert got == code and len(reason) <= 123, (got, reason)


COMPRESSED = {
    "a bomb": (frame(deflated(b"x" * (64 << 20)), rsv=4), 1009),
    "a bomb in fragments": (
        frame(deflated(b"x" * (64 << 20))[:100], rsv=4, fin=False) + frame(deflated(b"x" * (64 << 20))[100:], opcode=0),
        1009,
    ),
    "bytes that are no deflate": (frame(b"\xff" * 50, rsv=4), 1007),
    "a control frame that says it is compressed": (frame(b"x", opcode=PING, rsv=4), 1002),
    "a continuation that says it is compressed": (frame(b"x", rsv=4, fin=False) + frame(b"x", opcode=0, rsv=4), 1002),
    "text that is no UTF-8": (frame(deflated(b"\xff\xfe"), rsv=4), 1007),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_violations(node, name):
    sent, code = COMPRESSED[name]
    with Peer(node) as peer:
        seen = peer.send(upgrade("/v1/topics", KEY, DEFLATE) + sent).read_to_end()
    assert closed(seen)[0] in ({code, 1002, 1007} if code == 1007 else {code}), seen


def test_a_thousand_bombs_take_no_memory(start_node):
    node = start_node()
    bomb = frame(deflated(b"x" * (64 << 20)), rsv=4)
    for _ in range(50):
        with Peer(node) as peer:
            assert closed(peer.send(upgrade("/v1/topics", KEY, DEFLATE) + bomb).read_to_end())[0] == 1009
    status = open(f"/proc/{node.process.pid}/status").read()
    peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert peak < 128 << 10, f"{peak} KiB"


HANDSHAKES = {
    "no key": ("Sec-WebSocket-Key", None),
    "a short key": ("Sec-WebSocket-Key", "YWJj"),
    "a key that is no base64": ("Sec-WebSocket-Key", "!" * 24),
    "version 8": ("Sec-WebSocket-Version", "8"),
    "no version": ("Sec-WebSocket-Version", None),
    "no connection header": ("Connection", None),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_handshakes(node, name):
    header, value = HANDSHAKES[name]
    lines = upgrade("/v1/topics", KEY).decode().split("\r\n")
    kept = [line for line in lines if not line.startswith(header + ":")]
    if value:
        kept.insert(2, f"{header}: {value}")
    with Peer(node) as peer:
        seen = peer.send("\r\n".join(kept).encode()).read()
    assert b" 400 " in seen.split(b"\r\n")[0], seen


def test_what_follows_a_refused_handshake_is_not_obeyed(node):
    node.publish("good.a", 1)
    before = node.newest("good.a")
    forged = message(type="publish", topic="good.a", data="forged")
    with Peer(node) as peer:
        seen = peer.send(upgrade("/v1/topics", "Authorization: Bearer wrong") + forged).read()
    assert b" 401 " in seen and b"published" not in seen
    assert node.newest("good.a") == before


def test_nothing_is_obeyed_after_a_close(node):
    node.publish("good.a", 1)
    before = node.newest("good.a")
    forged = message(type="publish", topic="good.a", data="late")
    with Peer(node) as peer:
        seen = peer.send(upgrade("/v1/topics", KEY) + frame(b"\x03\xe8", opcode=CLOSE) + forged).read_to_end()
    assert [opcode for opcode, _ in frames(seen)] == [CLOSE] and node.newest("good.a") == before
    assert TEXT not in dict(frames(seen))
