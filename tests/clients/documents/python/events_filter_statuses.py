# Document 001, "Status Filtering", as it stands there.
filter = EventSubscriptionFilter(
    statuses=["error", "timeout"]
)
