# Document 001, "Cost Threshold Filtering", as it stands there.
# Only receive events costing more than 1000 tokens
filter = EventSubscriptionFilter(
    cost_threshold_tokens=1000,
    event_types=["tool_call"]
)
