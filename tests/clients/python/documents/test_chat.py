"""Document 004: the `chat` protocol."""

import shutil
import subprocess

import pytest
from server import PATIENCE, ROOT, receive, request
from snippet import FOLDER, TOKEN, filled

QUESTION = "What is the engine power?"
STEPS = [
    "[starting] Processing your question...",
    "[agent_routing] Routing to the right expert...",
    "[rag_retrieval] Searching knowledge base...",
    "[generating] Generating response...",
]


def test_a_question(guarded, play):
    said = play(guarded(), "chat_client").said()
    assert said[:5] == ["Authenticated!", *STEPS]
    text = "\n".join(said[5:])
    streamed, complete = text.split("\n\nComplete!\nResponse: ")
    response, agent = complete.rsplit("\nAgent: ", 1)
    assert streamed.strip() == response.strip() and "kW" in response
    assert agent == "specs"


def test_a_wrong_token(guarded, play):
    assert play(guarded(), "chat_client", token="nobody's").said() == ["Authentication failed"]


def test_many_messages_on_one_connection(guarded):
    with guarded().websocket(f"/ws/chat?token={TOKEN}") as socket:
        assert receive(socket)["type"] == "auth_success"
        sessions = set()
        for _ in range(2):
            message = request(socket, type="message", message=QUESTION)
            while message["type"] != "complete":
                message = receive(socket)
            sessions.add(message["session_id"])
        assert len(sessions) == 1


def test_asked_by_a_request(guarded):
    server = guarded()
    body = {"message": QUESTION, "session_id": "s"}
    answer = server.http.post("/api/v1/chat", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
    got = answer.json()
    assert list(got)[:4] == ["type", "response", "session_id", "metadata"] and "kW" in got["response"]
    assert got["metadata"]["agent"] == "specs" and got["metadata"]["context"]["sources"]
    assert server.http.post("/api/v1/chat", json=body, headers={"Authorization": "Bearer no"}).status_code == 401


@pytest.mark.parametrize("name, wanted", [("chat_health", '{"status":"ok"}'), ("chat_test_page", "WebSocket Chat Test")])
def test_troubleshooting(guarded, name, wanted):
    assert shutil.which("curl")
    text = filled((FOLDER / f"shell/{name}.sh").read_text(), guarded())
    done = subprocess.run(["sh", "-ec", text], capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT)
    assert wanted in done.stdout
