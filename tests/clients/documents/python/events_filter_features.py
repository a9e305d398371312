# Document 001, "Feature Filtering", as it stands there.
filter = EventSubscriptionFilter(
    feature_ids=["feat-123", "feat-456"]
)
