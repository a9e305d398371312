"""A node that must be as well after each attack as before."""

import pytest
from nodes import Node


@pytest.fixture(scope="session")
def shared_node():
    running = Node()
    yield running
    running.close()


@pytest.fixture
def node(shared_node):
    """The shared node, checked after the test."""
    yield shared_node
    shared_node.check()


@pytest.fixture
def start_node():
    """Starts nodes with settings of their own; each is checked after the test."""
    running = []

    def begin(*config, **options):
        running.append(Node(*config, **options))
        return running[-1]

    yield begin
    try:
        for one in running:
            one.check()
    finally:
        for one in running:
            one.close()
