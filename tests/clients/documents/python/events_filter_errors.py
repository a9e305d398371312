# Document 001, "Error Tracking", as it stands there.
filter = EventSubscriptionFilter(
    event_types=["error"],
    statuses=["error", "timeout"]
)
