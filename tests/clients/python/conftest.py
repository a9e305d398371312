"""Starts real servers for the tests and stops them again."""

import itertools

import pytest
from server import Server

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items):
    """What waits for minutes begins first, so that the rest runs beside it."""
    items.sort(key=lambda item: "quiet" not in item.name)


@pytest.fixture(scope="session")
def server():
    """A server with the defaults, shared: use a topic of your own."""
    running = Server('[namespaces."rooms.**"]\npresence = true\n')
    yield running
    running.close()


@pytest.fixture
def start():
    """Starts servers with a configuration of their own."""
    running = []

    def begin(config="", *flags, **options):
        running.append(Server(config, *flags, **options))
        return running[-1]

    yield begin
    for one in running:
        one.close()


@pytest.fixture
def topic():
    """A topic nobody else uses."""
    return f"t{next(_numbers)}.events"
