# Document 001, "Bottleneck Detection", as it stands there.
filter = EventSubscriptionFilter(
    event_types=["tool_call"]
)

# In handler:
if event['execution_duration_seconds'] > 5:
    print(f"Bottleneck: {event['tool_name']} took {event['execution_duration_seconds']}s")
