# Document 001, "1. Use Filters to Reduce Load", as it stands there.
# Good: Only subscribe to relevant events
filter = EventSubscriptionFilter(
    event_types=["error"],
    cost_threshold_tokens=1000
)

# Avoid: Subscribe to everything without filtering
filter = EventSubscriptionFilter()
