"""What needs a role is not to be had with a grant alone, by whatever path."""

import pytest
import tokens
from attempts import attempt, refused
from entries import LOGGED, websocket
from nodes import SECRET, bearer
from wire import Peer

LOG = {"topic": "stream.log", "event": LOGGED}
OBSERVER = tokens.claims(role="observer", grants={"subscribe": ["stream.**"], "publish": ["stream.**"]})
LOGS = [
    websocket("logs", "/v1/stream/logs", **LOG),
    websocket("logs from the first on", "/v1/stream/logs?last_sequence=0", **LOG, live=False),
    websocket("logs among all", "/v1/stream/all", {"type": "subscribe", "streams": ["log"]}, **LOG),
    websocket("logs added to others", "/v1/stream/all", {"type": "subscribe", "streams": ["message"]}, {"type": "subscribe", "streams": ["log"]}, **LOG),
]  # fmt: skip


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.name) for entry in LOGS])
def test_logs_are_for_admins(node, entry):
    node.publish(*LOG.values())
    for role in ("observer", None, "nonsense", ["observer"], "OBSERVER"):
        for by in entry.ways():
            seen = attempt(node, entry, tokens.token(body=OBSERVER | {"role": role}), by)
            assert SECRET.encode() not in seen and refused(seen), f"{role}: {seen!r}"
    with Peer(node) as peer:
        admin = tokens.token(body=OBSERVER | {"role": "admin"})
        peer.send(entry.request(admin, "header")).read(quiet=0.2)
        node.publish(*LOG.values())
        assert SECRET.encode() in peer.read(until=SECRET.encode())


@pytest.mark.parametrize("role", ["observer", "admin", "authority"])
def test_revocations_are_for_root(node, role):
    credential = bearer(tokens.token(body=tokens.claims(role=role)))
    for answer in [
        node.http.post("/v1/revocations", json={"user": "good"}, headers=credential),
        node.http.get("/v1/revocations", headers=credential),
        node.http.delete("/v1/revocations?user=good", headers=credential),
    ]:
        assert answer.status_code == 403, answer.text
