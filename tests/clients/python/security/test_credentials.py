"""Every way into the node × every credential that is none. Nobody gets in, and nothing of the victim's gets out."""

import hashlib

import pytest
from entries import ENTRIES, attempt, refused
from nodes import BACKEND, OTHER, SECRET, VICTIM
from wire import Peer

ROWS = [pytest.param(entry, id=entry.name) for entry in ENTRIES]
NOBODY = {
    "none": None,
    "empty": "",
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


@pytest.mark.parametrize("entry", ROWS)
def test_the_right_credential_enters(node, entry):
    """Or else the rows below would prove nothing."""
    node.publish(entry.topic, entry.event)
    for by in ("header", "query"):
        with Peer(node) as peer:
            peer.send(entry.request(BACKEND, by))
            if entry.live:
                peer.read(quiet=0.2)
                node.publish(entry.topic, entry.event)
            assert SECRET.encode() in peer.read(until=SECRET.encode()), f"{by}: {peer.seen!r}"


@pytest.mark.parametrize("credential", NOBODY)
@pytest.mark.parametrize("entry", ROWS)
def test_nobody_enters(node, entry, credential):
    for by in ("header", "query"):
        seen = attempt(node, entry, NOBODY[credential], by)
        assert SECRET.encode() not in seen and refused(seen), f"{by}: {seen!r}"


@pytest.mark.parametrize("entry", ROWS)
def test_a_credential_for_other_topics_does_not_enter(node, entry):
    for by in ("header", "query"):
        seen = attempt(node, entry, OTHER, by)
        assert SECRET.encode() not in seen and refused(seen), f"{by}: {seen!r}"
