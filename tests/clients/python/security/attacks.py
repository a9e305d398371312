"""The table of attacks, at the end. Each is tried at every entry; it fails with an AssertionError if it gets anywhere."""

import dataclasses
import hashlib
import json
import threading
from typing import Callable

import tokens
from attempts import enters, keep_out, listen, meanwhile, refused
from entries import ENTRIES, SSE
from injection import FORGED_NAMES, check_names, forged_targets, named
from nodes import BACKEND, NEAR, OTHER, SECRET, VICTIM
from server import until
from wire import Peer, begun, closed, frame, head, status

FORGED = tokens.forged()
WRONG = {
    "wrong": "key-of-nobody",
    "beginning of a key": VICTIM[:-1],
    "more than a key": VICTIM + "x",
    "in capitals": VICTIM.upper(),
    "hash of a key": hashlib.sha256(VICTIM.encode()).hexdigest(),
    "hash as it stands in the file": "sha256:" + hashlib.sha256(VICTIM.encode()).hexdigest(),
    "name of a key": "victim",
    "longer than any": "x" * 8000,
    "two keys": f"{OTHER},{VICTIM}",
}
NAMES = [entry.name for entry in ENTRIES]
MIB = 1 << 20


def every_way(node, entry, *credentials, partial=False):
    """Each credential in one way; over all entries each meets every way."""
    ways, row = entry.ways(), NAMES.index(entry.name)
    for number, credential in enumerate(credentials, row):
        keep_out(node, entry, credential, ways[number % len(ways)], partial=partial)


def no_token(node, entry):
    keep_out(node, entry, None, "header")
    for by in entry.ways():
        keep_out(node, entry, "", by)


def wrong_token(node, entry):
    every_way(node, entry, *WRONG.values())


def forged(kind):
    return lambda node, entry: every_way(node, entry, *FORGED[kind].values())


def another_topics_grant(node, entry):
    grants = {"publish": NEAR, "subscribe": NEAR}
    near = tokens.token(body=tokens.claims(role="admin", grants=grants))
    every_way(node, entry, OTHER, near, OTHER, near, *FORGED["no rights"].values(), partial=entry.partial)


def cross_origin(node, entry):
    """A page of another site, with the cookie that the victim's browser sends by itself; and one with a credential."""
    assert enters(node, entry, BACKEND, "cookie", "Origin: http://localhost"), "the right page does not get in"
    for origin in ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:81", "http://evil.example/localhost"]:
        keep_out(node, entry, BACKEND, "cookie", f"Origin: {origin}")
    keep_out(node, entry, BACKEND, "cookie", "Origin: http://localhost", "Origin: https://evil.example")
    if entry.upgraded or entry.accept == SSE:
        keep_out(node, entry, BACKEND, "query", "Origin: https://evil.example")


def oversized(node, entry):
    """By somebody who may do everything."""
    before = node.newest(entry.topic)
    key, length = f"Authorization: Bearer {BACKEND}", "Content-Length: "
    longer = dataclasses.replace(entry, target=entry.target + ("&" if "?" in entry.target else "?") + "x=" + "x" * MIB)
    too_long(node, entry.opening(BACKEND, "header", "X: " + "x" * MIB))
    too_long(node, entry.opening(BACKEND, "header", *(f"X-{n}: 1" for n in range(5000))))
    too_long(node, entry.opening("x" * MIB, "query"))
    too_long(node, longer.opening(BACKEND, "header"))
    if entry.method == "POST":
        with Peer(node) as peer:
            peer.send(head("POST", entry.target, key, f"{length}{1 << 62}", "Content-Type: application/json") + b"1").read()
        too_long(node, dataclasses.replace(entry, body={"data": "x" * MIB}).opening(BACKEND, "header"))
    if entry.upgraded:
        for message in [frame(b"x" * 70_000), frame(b"x", length=1 << 62), frame(b"x" * 40_000, fin=False) + frame(b"x" * 40_000, opcode=0)]:
            with Peer(node) as peer:
                seen = peer.send(entry.opening(BACKEND, "header") + message).read_to_end()
                assert closed(seen)[0] in (1002, 1009), seen
    assert node.newest(entry.topic) == before


def too_long(node, request):
    with Peer(node) as peer:
        seen = peer.send(request).read_to_end()
    assert status(seen) in (0, 400, 401, 413, 414, 431) and SECRET.encode() not in seen, seen[:300]


def slow(node, entry):
    """All at once, see `together.py`."""
    given_up = node.slow[entry.name]
    assert given_up and all(given_up), "the node waits for who never finishes"


def injected_names(node, entry):
    """Line ends, quotes and the like in the names of topics, and in those of events."""
    for target in forged_targets(entry):
        with Peer(node) as peer:
            peer.send(dataclasses.replace(entry, target=target).opening(BACKEND, "header"))
            seen = peer.read(quiet=0.3, done=begun)
        assert b"\nset-cookie" not in seen.lower() and b"\nHTTP/1.1 299" not in seen, seen
    if entry.publishes:
        return
    with Peer(node) as peer:
        peer.send(entry.request(BACKEND, "header"))
        listen(entry, peer)
        for name in FORGED_NAMES:
            body = json.dumps(named(entry, name)).encode()
            answer = node.http.post(f"/v1/topics/{entry.topic}", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (200, 400, 422), answer.text
        check_names(entry, meanwhile(node, entry, peer))


ATTACKER, PROXY = "127.0.0.2", "127.0.0.9"
CLAIMS = [
    ["X-Forwarded-For: 192.0.2.1"],
    ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 192.0.2.1"],
    ["Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "X-Forwarded-For: 127.0.0.9"],
]


def forged_address(node, entry):
    """An address that has all connections it may have gets no more by claiming to be another, directly or through a proxy."""
    with Peer(node, ATTACKER) as held:
        held.send(b"GET /hea")
        tries = [(ATTACKER, lines) for lines in CLAIMS]
        tries += [(PROXY, [*lines, f"X-Forwarded-For: {ATTACKER}"]) for lines in CLAIMS]
        for source, lines in tries:
            with Peer(node, source) as peer:
                seen = peer.send(entry.request(BACKEND, "header", *lines)).read(quiet=1, done=lambda seen: b"\r\n\r\n" in seen)
            assert status(seen) == 429 and SECRET.encode() not in seen, f"{source} {lines}: {seen!r}"
        bystander = f"127.0.1.{1 + NAMES.index(entry.name)}"
        until(lambda: serves(node, entry, bystander), "an answer to somebody else")


def serves(node, entry, source):
    with Peer(node, source) as peer:
        listen(entry, peer.send(entry.request(BACKEND, "header")))
        return status(peer.seen) in (0, 101, 200) and not refused(peer.seen)


def reused_ticket(node, entry):
    ticket = node.ticket()
    assert enters(node, entry, ticket, "ticket"), "a ticket does not get in once"
    keep_out(node, entry, ticket, "ticket")
    unused = node.ticket()
    for by in entry.ways():
        keep_out(node, entry, unused, by)
    at_once(node, entry, node.ticket())


def at_once(node, entry, ticket):
    """Of several that bring the same ticket at the same time one enters."""
    with Peer(node) as one, Peer(node) as two, Peer(node) as three:
        peers = [one, two, three]
        threads = [threading.Thread(target=peer.send, args=[entry.request(ticket, "ticket")]) for peer in peers]
        for thread in threads:
            thread.start()
        for thread, peer in zip(threads, peers, strict=True):
            thread.join()
            listen(entry, peer)
        assert sum(refused(peer.seen) for peer in peers) == 2, [peer.seen for peer in peers]


def after_expiry(node, entry):
    """All at once, see `together.py`."""
    told, published_to = node.expired
    assert entry.topic not in published_to
    for what, seen, before in told[entry.name]:
        assert SECRET.encode() not in seen[before:], f"{what}: {seen!r}"
        if before and not entry.streams:
            continue  # answered while it was still right
        assert refused(seen) or b"Token expired" in seen, f"{what}: {seen!r}"


@dataclasses.dataclass(frozen=True)
class Attack:
    """`node` says on what kind of node it is tried."""

    name: str
    run: Callable
    node: str = "guarded"


ATTACKS = [
    Attack("no token", no_token),
    Attack("wrong token", wrong_token),
    Attack("expired token", forged("expired")),
    Attack("alg=none", forged("alg=none")),
    Attack("key confusion", forged("key confusion")),
    Attack("foreign kid", forged("foreign kid")),
    Attack("other forgeries", forged("other forgeries")),
    Attack("grant of another topic", another_topics_grant),
    Attack("cross-origin", cross_origin),
    Attack("oversized", oversized, "small"),
    Attack("slowloris", slow, "hasty"),
    Attack("header injection", injected_names),
    Attack("forged X-Forwarded-For", forged_address, "counting"),
    Attack("ticket reused", reused_ticket),
    Attack("subscribe after expiry", after_expiry, "expiring"),
]
