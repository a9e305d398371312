# Document 001, "Session Filtering", as it stands there.
filter = EventSubscriptionFilter(
    session_id="session-123"
)
