"""Document 002: sessions of the `channels` protocol. Who answers is the manual that comes with the server."""

import ast
import json
import time

import pytest
from server import until
from snippet import TOKEN
from standins import SESSIONS, stand_in

from proxy import Proxy

AUTH = {"Authorization": f"Bearer {TOKEN}"}
# An answer that takes its time.
SLOW = "[respond]\nwords_per_second = 20\n"
QUESTION = "What is the engine power?"
pytestmark = pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)


def execute(server, **asked):
    """The data of every event of an answer."""
    with server.http.stream("POST", "/v1/sessions/execute", json=asked, headers=AUTH) as answer:
        answer.raise_for_status()
        return [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]


def only_session(server):
    """The session that there is."""
    found = lambda: server.http.get("/v1/topics", params={"prefix": "sessions.client."}).json()["topics"]
    until(found, "a session")
    (topic,) = found()
    return topic["topic"].rsplit(".", 1)[1]


def session(server, name):
    return server.http.get(f"/v1/sessions/{name}", headers=AUTH).json()


def test_basic_connection(guarded, play):
    client = play(guarded(), "channels_execute", before="import asyncio, httpx, json", after="asyncio.run(stream_agent_response())")
    said = [ast.literal_eval(line) for line in client.said()]
    assert [one["position"] for one in said] == list(range(1, len(said) + 1))
    assert (said[0]["step"], said[-1]["type"], said[-1]["status"]) == ("starting", "done", "success")
    text = "".join(one["content"] for one in said if one["type"] == "text")
    assert text and text == said[-1]["output"]
    assert said[0]["session_id"] == said[-1]["session_id"]


def test_sdk(guarded, play):
    server = guarded(SLOW)
    client = play(server, "channels_sdk_stream", before=stand_in(SESSIONS, server))
    name = only_session(server)
    until(lambda: session(server, name)["position"] > 5, "words")
    server.publish(f"sessions.client.{name}", {"type": "tool_call", "data": {"type": "tool_call", "tool": "web_search", "args": {}}})
    said = "\n".join(client.said())
    assert "\n[Calling web_search...]\n" in said
    assert said.endswith(f"\n\nCompleted: {name}")
    before, after = said.split("\n[Calling web_search...]\n")
    assert before + after.removesuffix(f"\n\nCompleted: {name}") == session(server, name)["last"]["output"].strip()


def test_interactive_chat(guarded, play):
    server = guarded()
    given = f"""
questions = iter([{QUESTION!r}, "exit"])
def input(prompt):
    print(prompt, end="")
    return next(questions)
"""
    client = play(server, "channels_interactive", before=stand_in(SESSIONS, server) + given, after='await interactive_chat("agent_123")')
    said = "\n".join(client.said())
    answer = execute(server, agent_id="agent_123", goal=QUESTION)[-1]["output"]
    assert said == f"You: Agent: {answer}\nYou: "


def test_context_and_turns(guarded, play):
    server = guarded()
    given = f"conversation = [{QUESTION!r}, 'And the torque?']\n"
    client = play(server, "channels_context", before=stand_in(SESSIONS, server) + given, after='show("session", session.session_id)')
    said = client.said()
    kept = session(server, said[-1].removeprefix("session ").strip('"'))
    assert kept["context"] == {"user_name": "Alice", "preferences": {"language": "en"}}
    assert (kept["agent_id"], kept["turns"], kept["last"]["turn"]) == ("agent_123", 2, 2)
    assert kept["last"]["output"].strip() in "\n".join(said)


# The document waits for half a minute, and leaves it to its reader to know the session.
HASTY = """
import asyncio, types
timeout = asyncio.timeout
hasty = types.SimpleNamespace(**{**vars(asyncio), "timeout": lambda _: timeout(1)})
execute_stream = client.sessions.execute_stream
client.sessions.execute_stream = lambda **asked: execute_stream(session_id="mine", **asked)
session_id = "mine"
"""


def test_cancelling(guarded, play):
    server = guarded("[respond]\nwords_per_second = 2\n")
    after = "asyncio = hasty\nawait stream_with_timeout()\nshow('cancelled', True)"
    client = play(server, "channels_cancel", before=stand_in(SESSIONS, server) + HASTY, after=after)
    said = client.said()
    assert said[-2:] == ["Stream timed out", "cancelled true"], said
    kept = session(server, "mine")
    assert (kept["status"], kept["last"]["status"]) == ("idle", "cancelled")
    assert kept["last"]["output"].startswith("\n".join(said[:-2]).strip())


def handled(play, server):
    """Plays the handler of errors; what it said, and what it has not handled."""
    after = """
try:
    await handle_stream_errors()
    show("over", None)
except Exception as error:
    show("over", str(error))
"""
    given = "import asyncio\ndef process_chunk(chunk): show('chunk', chunk.type)\n"
    return play(server, "channels_errors", before=stand_in(SESSIONS, server) + given, after=after)


def test_too_many_questions(guarded, play):
    server = guarded("[sessions]\nrunning_per_user = 1\n[respond]\nwords_per_second = 1\n")
    with server.http.stream("POST", "/v1/sessions/execute", json={"agent_id": "a", "goal": QUESTION}, headers=AUTH):
        begun = time.monotonic()
        assert handled(play, server).said() == ["over null"]
        assert time.monotonic() - begun >= 1, "it has waited as long as it was told"


def test_an_answer_that_takes_too_long(guarded, play):
    server = guarded("[sessions]\nanswer_seconds = 1\n[respond]\nwords_per_second = 1\n")
    said = handled(play, server).said()
    assert said[0] == 'chunk "step"' and said[-1] == "over null", said


def test_a_restart(guarded, play):
    server = guarded("[respond]\nwords_per_second = 1\n")
    client = handled(play, server)
    assert client.line() == 'chunk "step"'
    server.stop()
    assert client.said()[-1] == "over null"


def test_other_errors_are_raised(guarded, play):
    server = guarded("[sessions]\nquestion_bytes = 3\n")
    (said,) = handled(play, server).said()
    assert said.startswith('over "INVALID_MESSAGE: ')


def test_recovery(guarded, play):
    server = guarded("[respond]\nwords_per_second = 2\n")
    proxy = Proxy(server)
    given = "import asyncio\ndef process_chunk(chunk): show('chunk', vars(chunk))\n"
    client = play(server, "channels_recovery", before=stand_in(SESSIONS, proxy) + given, after="await stream_with_recovery()")
    chunks, cuts = [], 0
    while not chunks or chunks[-1]["type"] != "done":
        line = client.line()
        if line.startswith("Reconnecting from position "):
            cuts += 1
            assert int(line.split()[-1]) == chunks[-1]["position"]
            continue
        chunks.append(json.loads(line.removeprefix("chunk ")))
        if cuts < 3 and chunks[-1]["position"] >= 4 + 3 * cuts:
            proxy.cut()
    assert cuts == 3
    assert [chunk["position"] for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert "".join(chunk["content"] for chunk in chunks) == chunks[-1]["output"]
    assert len(server.http.get("/v1/topics", params={"prefix": "sessions.client."}).json()["topics"]) == 1
    proxy.close()
