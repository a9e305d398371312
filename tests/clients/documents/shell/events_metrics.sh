# Document 001, "Dashboard Metrics", as it stands there.
curl http://localhost:8000/api/websocket-metrics
