# Document 004, "Connection Refused", as it stands there.
curl http://localhost:8000/health
