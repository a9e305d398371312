# Document 001, "Bottleneck Prediction", as it stands there.
# Stream all events for analysis
events = []
async for batch in stream_events(session_id):
    events.extend(batch['events'])

# Analyze patterns for bottleneck prediction
analyze_bottlenecks(events)
