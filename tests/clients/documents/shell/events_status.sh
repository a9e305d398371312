# Document 001, "WebSocket Connection Refused", as it stands there.
curl http://localhost:8000/api/status
