"""The examples of docs/PROTOCOLS.md: how a backend publishes, with curl and in Python."""

import json
import shutil
import subprocess

import pytest
from snippet import BACKEND, guide

# What follows an example that only defines something, and what is then found in the topic's history.
PUBLISHED = {
    "stream": (
        "broadcast_message('m', 'c', 'a', 'hello', 'incoming')",
        {"stream.telemetry": ["value"], "stream.message": ["message_id"]},
    ),
    "events": ("", {"events.session-123": ["event_type", "event_type"]}),
    "channels": ("", {"channels.sessions": ["session_id", "session_id"]}),
    "analysis": (
        "import asyncio\nasync def run():\n    await (await create_streaming_callback('analysis-456'))('odd', {'stage': 1})\nasyncio.run(run())",
        {"analysis.analysis-456": ["stage", "stage"]},
    ),
}


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
@pytest.mark.parametrize("section", PUBLISHED)
def test_publishing(guarded, start, play, section):
    after, expected = PUBLISHED[section]
    # The examples of `events` are for a server without credentials.
    server = start() if section == "events" else guarded()
    (shell,) = guide(section, "sh", server)
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=20, env={"TOKEN": BACKEND, "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0 and '"offset"' in done.stdout, done
    python = guide(section, "python", server)[0]
    client = play(server, before=f"TOKEN = {BACKEND!r}\n" + python, after=after)
    assert client.said() == []
    for topic, members in expected.items():
        found = server.http.get(f"/v1/topics/{topic}").json()["events"]
        assert len(found) == len(members), found
        for event, member in zip(found, members, strict=True):
            assert member in json.dumps(event["data"]), event


@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
def test_publishing_through_a_database(start, play, tmp_path):
    """The other Python example of `events`, beside a server that follows the file."""
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
