# Document 001, "Messages Not Being Received", as it stands there.
# Check active sessions
curl http://localhost:8000/api/sessions

# Check session activity
curl http://localhost:8000/api/sessions/session-123/events
