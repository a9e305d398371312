"""Every way into the node × every credential that is none. Nobody gets in, and nothing of the victim's gets out."""

import hashlib

import pytest
import tokens
from entries import ENTRIES, attempt, refused
from nodes import BACKEND, NEAR, OTHER, SECRET, VICTIM
from wire import Peer

ROWS = [pytest.param(entry, id=entry.name) for entry in ENTRIES]
FORGED = tokens.forged()
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
    for credential in (BACKEND, tokens.token()):
        for by in entry.ways():
            with Peer(node) as peer:
                peer.send(entry.request(credential, by))
                if entry.live:
                    peer.read(quiet=0.2)
                    node.publish(entry.topic, entry.event)
                assert SECRET.encode() in peer.read(until=SECRET.encode()), f"{by}: {peer.seen!r}"


@pytest.mark.parametrize("credential", NOBODY)
@pytest.mark.parametrize("entry", ROWS)
def test_nobody_enters(node, entry, credential):
    keep_out(node, entry, NOBODY[credential], *entry.ways())


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("entry", ROWS)
def test_no_forged_token_enters(node, entry, name):
    """Brought in one way each; over all rows every token meets every way."""
    ways, row = entry.ways(), ENTRIES.index(entry) + list(FORGED).index(name)
    keep_out(node, entry, FORGED[name], ways[row % len(ways)])


@pytest.mark.parametrize("entry", ROWS)
def test_a_credential_for_other_topics_does_not_enter(node, entry):
    near = tokens.token(body=tokens.claims(role="admin", grants={"publish": NEAR, "subscribe": NEAR}))
    for credential in (OTHER, near):
        keep_out(node, entry, credential, *entry.ways(), partial=entry.partial)


def keep_out(node, entry, credential, *ways, partial=False):
    for by in ways:
        seen = attempt(node, entry, credential, by)
        assert SECRET.encode() not in seen and (partial or refused(seen)), f"{by}: {seen!r}"
