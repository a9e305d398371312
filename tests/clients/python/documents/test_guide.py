"""The example of docs/PROTOCOLS.md for a backend that writes a database; `test_protocols_doc.py` has those that make requests."""

import json

import pytest
from snippet import guide


@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
def test_publishing_through_a_database(start, play, tmp_path):
    """Beside a server that follows the file."""
    database = tmp_path / "htmlgraph.db"
    server = start(f'[events]\ndb_path = "{database}"\n')
    _, python = guide("events", "python", server)
    create = "CREATE TABLE agent_events (event_id TEXT PRIMARY KEY, agent_id TEXT, event_type TEXT, session_id TEXT)"
    given = f"import os, sqlite3\nos.chdir({str(tmp_path)!r})\nsqlite3.connect('htmlgraph.db').execute({create!r})\n"
    with server.websocket("/ws/events/session-123") as socket:
        server.await_readers("events.session-123")
        play(server, before=given + python)
        (event,) = json.loads(socket.recv(timeout=10))["events"]
    assert (event["event_id"], event["agent_id"], event["event_type"]) == ("evt-1", "claude", "start")
