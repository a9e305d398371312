"""Document 003: the `analysis` protocol. Its client examples are JavaScript, those of its backend are Python."""

import json

import pytest
from server import receive, request
from snippet import BACKEND, TOKEN, guide
from standins import SWARM, stand_in

STARTED = {"event_type": "pipeline_started", "data": {"bill_id": "bill-123", "agents": ["fiscal", "legal"]}}


def test_status_and_stats(start):
    server = start()
    empty = server.http.get("/api/v1/ws/analysis/analysis-456/status").json()
    assert list(empty) == ["analysis_id", "connections", "progress", "buffer_size"]
    with server.websocket("/api/v1/ws/analysis/analysis-456") as socket:
        server.await_readers("analysis.analysis-456")
        server.publish("analysis.analysis-456", STARTED)
        message = receive(socket)
        assert (message["event_type"], message["sequence"]) == ("pipeline_started", 1)
        status = server.http.get("/api/v1/ws/analysis/analysis-456/status").json()
        assert (status["connections"], status["buffer_size"]) == (1, 1)
        stats = server.http.get("/api/v1/ws/stats").json()
        assert list(stats) == ["total_connections", "active_analyses", "stats"]
        assert list(stats["stats"]) == ["total_connections", "total_events_sent", "total_reconnections"]
        assert (stats["total_connections"], stats["active_analyses"]) == (1, 1)


def test_progress_on_request(start):
    server = start()
    server.publish("analysis.a", STARTED)
    with server.websocket("/api/v1/ws/analysis/a") as socket:
        assert receive(socket)["event_type"] == "progress_update"
        progress = request(socket, type="progress_request")
        assert progress["event_type"] == "progress_update" and "sequence" not in progress
        assert json.dumps(progress["data"]).startswith('{"analysis_id": "a", "bill_id": "bill-123", "stage": ')
        pong = request(socket, type="ping")
        assert list(pong) == ["type", "timestamp"] and pong["type"] == "pong"


def swarm(server):
    """The original's packages, with the callback as docs/PROTOCOLS.md has it."""
    (callback,) = guide("analysis", "python", server)
    return f"TOKEN = {BACKEND!r}\n{callback}\n{stand_in(SWARM, server, BACKEND)}"


@pytest.mark.parametrize("python", ["websockets-newest"], indirect=True)
@pytest.mark.parametrize("name, analysis, bill", [("callback", "analysis-123", "b"), ("coordinator", "my-analysis-id", "bill-123")])
def test_what_a_swarm_reports_is_streamed(guarded, play, name, analysis, bill):
    server = guarded()
    with server.websocket(f"/api/v1/ws/analysis/{analysis}?token={TOKEN}") as socket:
        before = swarm(server) + 'context = Plain(bill_id="b")\n'
        client = play(server, f"analysis_{name}", before=before, after='show("result", result)')
        got = [receive(socket) for _ in range(3)]
        assert client.shown("result") == "analysed"
    assert [(one["event_type"], one["sequence"]) for one in got] == [
        ("pipeline_started", 1), ("agent_finding", 2), ("analysis_complete", 3),
    ]  # fmt: skip
    assert {one["analysis_id"] for one in got} == {analysis} and got[0]["data"]["bill_id"] == bill
