"""A server with somebody on it whose events must not leak, and somebody who must not notice the attacks."""

import contextlib
import hashlib
import json
import time

import tokens
from server import PATIENCE, Server, receive

SECRET = "what-only-the-victim-may-read"
BACKEND, VICTIM, OTHER, GOOD = "key-of-the-backend", "key-of-the-victim", "key-of-another", "key-of-a-good-client"


def key(name, token, **members):
    digest = hashlib.sha256(token.encode()).hexdigest()
    lines = ["[[keys]]", f'name = "{name}"', f'hash = "sha256:{digest}"']
    return "\n".join([*lines, *(f"{name} = {json.dumps(value)}" for name, value in members.items()), ""])


# The other's grants come as near to the victim's topics as grants can. It is an admin, so that nothing but grants refuse it.
NEAR = ["other.**", "victim.secret", "victim.a.below", "victims.**", "stream.telemetry", "events.a", "channels.billing", "analysis.a", "rooms.a", "sessions.victims.**"]
COOKIE = "session"
KEYS = "\n".join([
    tokens.CONFIG,
    f'[auth]\ncookie = "{COOKIE}"',
    '[namespaces."victim.**"]\npresence = true',
    "[analysis]\nmax_events_per_second = 0",
    key("backend", BACKEND, role="root", publish=["**"], subscribe=["**"]),
    key("victim", VICTIM, role="admin", publish=["victim.**"], subscribe=["victim.**"], presence=["**"]),
    key("other", OTHER, role="admin", publish=NEAR, subscribe=NEAR),
    key("good", GOOD, publish=["good.**"], subscribe=["good.**"]),
])  # fmt: skip


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Node(Server):
    """A server with two clients: the victim, whose session has a name that nobody may know, and a good one that reads what is
    published to `good.events`, and nothing else."""

    def __init__(self, config=KEYS, *flags, **options):
        super().__init__(config, *flags, **options)
        # A kept connection could be given up at the very moment at which it is used again.
        self.http.headers.update(bearer(BACKEND) | {"Connection": "close"})
        self.open = contextlib.ExitStack()
        self.good = self.open.enter_context(self.websocket(f"/v1/topics/good.events?token={GOOD}", ping_interval=None))
        assert receive(self.good)["type"] == "subscribed"
        # The victim reads nothing, and must not be given up for that.
        victim = f"/ws/events/{SECRET}?token={BACKEND}"
        self.open.enter_context(self.websocket(victim, max_queue=None, ping_interval=None))
        self.sent = 0

    def check(self):
        """The node lives, publishes, and has not sent the good client anything that is not its own."""
        assert self.http.get("/health").status_code == 200
        self.sent += 1
        begun = time.monotonic()
        self.publish("good.events", {"n": self.sent})
        event = receive(self.good)
        assert (event["topic"], event["data"]) == ("good.events", {"n": self.sent}), event
        assert time.monotonic() - begun < PATIENCE / 2, "the node is slow"

    def ticket(self, token=BACKEND):
        answer = self.http.post("/v1/tickets", headers=bearer(token))
        assert answer.status_code == 200, answer.text
        return answer.json()["ticket"]

    def newest(self, topic):
        return self.http.get(f"/v1/topics/{topic}", params={"limit": 1}).json()["newest"]

    def close(self):
        self.open.close()
        super().close()
