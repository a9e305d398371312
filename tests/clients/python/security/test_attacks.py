"""Every attack of the table at every entry: nothing gets in, nothing of another's gets out, and the node
goes on as if nothing had happened."""

import contextlib

import pytest
import tokens
from attacks import ATTACKS, PROXY
from attempts import enters
from entries import ENTRIES, PUBLISHING, SSE, Entry
from injection import check_names
from nodes import BACKEND, KEYS, Node
from together import expired_clients, slow_clients
from wire import frame

SMALL = '\n[limits]\nbody_bytes = "256KiB"\nevent_bytes = "64KiB"\nmessage_bytes = "64KiB"\n'
HASTY = "\n[limits]\nheader_seconds = 1\n[timing]\nwrite_seconds = 1\nping_seconds = 1\n"
COUNTING = f'\n[limits]\nconnections_per_ip = 1\n[proxy]\ntrusted = ["{PROXY}/32", "127.0.0.1/32"]\n'
CONFIGS = {"guarded": "", "small": SMALL, "hasty": HASTY, "counting": COUNTING, "expiring": ""}
ROWS = [
    pytest.param(attack, entry, id=f"{attack.name}: {entry.protocol}, {entry.name}") for attack in ATTACKS for entry in ENTRIES
]


@pytest.fixture(scope="module")
def nodes():
    """One node of each kind, started when it is first attacked."""
    with contextlib.ExitStack() as stack:
        running = {}

        def of(kind):
            if kind not in running:
                running[kind] = stack.enter_context(contextlib.closing(Node(KEYS + CONFIGS[kind])))
                prepare(kind, running[kind])
            return running[kind]

        yield of


def prepare(kind, node):
    if kind == "hasty":
        node.slow = slow_clients(node)
    if kind == "expiring":
        node.expired = expired_clients(node)


@pytest.mark.parametrize(("attack", "entry"), ROWS)
def test_it_gets_nowhere(nodes, attack, entry):
    node = nodes(attack.node)
    if not entry.publishes:
        node.publish(entry.topic, entry.event)
    attack.run(node, entry)
    node.check()


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.name) for entry in ENTRIES])
def test_the_right_credential_enters(nodes, entry):
    """Or else the table would prove nothing."""
    for number, by in enumerate(entry.ways()):
        credential = [BACKEND, tokens.token()][number % 2]
        assert enters(nodes("guarded"), entry, credential, by), by


# What a node must lack for an attack to succeed; where nothing else is said, credentials.
LACKING = {
    "oversized": KEYS + SMALL.replace("64KiB", "4MiB").replace("256KiB", "8MiB"),
    "slowloris": KEYS + "[limits]\nheader_seconds = 60\n",
    "forged X-Forwarded-For": KEYS + COUNTING.replace("127.0.0.1/32", "127.0.0.0/8"),
    "ticket reused": KEYS,
}


class Forgetful(Entry):
    """A way in by which tickets are good for ever."""

    def opening(self, token, by, *lines):
        return super().opening(BACKEND, "header", *lines)


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in ATTACKS if attack.name != "header injection"])
def test_it_would_be_noticed(attack):
    """On a node without the defence the attack gets through, and the table says so."""
    entry = {"oversized": PUBLISHING[0], "ticket reused": Forgetful(**vars(ENTRIES[0]))}.get(attack.name, ENTRIES[0])
    with contextlib.closing(Node(LACKING.get(attack.name, ""))) as node:
        node.slow = slow_clients(node, [entry], 1.5) if attack.name == "slowloris" else None
        node.expired = expired_clients(node, [entry], 1) if attack.name == "subscribe after expiry" else None
        with pytest.raises(AssertionError, match=r"HTTP/1\.1 |waits|victim\.a"):
            attack.run(node, entry)


def test_injected_names_would_be_noticed():
    """No node can be made to let them through, so the checks are tried by themselves."""
    sse, socket = next(entry for entry in ENTRIES if entry.accept == SSE), ENTRIES[0]
    good = b"HTTP/1.1 200 OK\r\n\r\ndata: {}\n\n"
    check_names(sse, good)
    check_names(socket, b"HTTP/1.1 101\r\n\r\n" + frame(b'{"forged\\",":1}', masked=False))
    for entry, stream in [
        (sse, good + b"data: forged\n"),
        (sse, good + b"event: close\n"),
        (sse, good + b"id: 1:1\r\r"),
        (sse, good + b"Set-Cookie: forged=1\n"),
        (sse, good + b'data: {"type":"x","forged":"forged"}\n'),
        (socket, b"HTTP/1.1 101\r\n\r\n" + frame(b'{"forged":"forged"}', masked=False)),
    ]:
        with pytest.raises(AssertionError):
            check_names(entry, stream)


def test_the_table_has_every_way_in():
    """Each protocol by each transport that it can be read by, and publishing."""
    reading = {(entry.protocol, entry.transport) for entry in ENTRIES if not entry.publishes}
    for protocol in ("topics", "stream", "events", "channels", "analysis", "chat"):
        assert {(protocol, transport) for transport in ("WebSocket", "SSE", "REST")} <= reading
        assert any(entry.protocol == protocol for entry in PUBLISHING)
