"""Document 003: the `analysis` protocol. Its own client examples are JavaScript; this is what its exchanges say."""

import json

from server import receive, request

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
