"""Runs snippets under both versions of `websockets`, and ends them."""

import hashlib
import pathlib

import pytest
from snippet import BACKEND, PYTHONS, TOKEN, Client, snippet


def key(name, token, *lines):
    digest = hashlib.sha256(token.encode()).hexdigest()
    return "\n".join(["[[keys]]", f'name = "{name}"', f'hash = "sha256:{digest}"', *lines, ""])


# A client may read what is published, as the documents' own clients may; only the backend publishes.
KEYS = key("backend", BACKEND, 'role = "root"', 'publish = ["**"]', 'subscribe = ["**"]') + key(
    "client", TOKEN, 'subscribe = ["stream.**", "channels.**", "events.**", "analysis.**"]'
)


@pytest.fixture(params=sorted(PYTHONS))
def python(request):
    """The Python with the `websockets` of one version."""
    if not pathlib.Path(PYTHONS[request.param]).exists():
        pytest.skip(f"there is no {PYTHONS[request.param]}; .ci/steps makes it")
    return request.param


@pytest.fixture
def play(python):
    """Starts snippets: `play(server, "stream_messages", before=…, after=…)`."""
    clients = []

    def begin(server, *names, before="", after="", token=TOKEN):
        parts = [["before", before]]
        parts += [[name, snippet(f"python/{name}.py", server, python, token)] for name in names]
        clients.append(Client(python, [*parts, ["after", after]]))
        return clients[-1]

    yield begin
    for client in clients:
        client.stop()


@pytest.fixture
def guarded(start):
    """Starts servers that ask for keys; `server.publish` has the backend's."""

    def begin(config="", *flags, **options):
        server = start(KEYS + config, *flags, **options)
        server.http.headers["Authorization"] = f"Bearer {BACKEND}"
        return server

    return begin
