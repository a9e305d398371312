# Document 002, "Filter Events", as it stands there.
# Subscribe with filters
async for event in client.events.subscribe(
    events=["session.completed"],
    filters={
        "agent_id": "agent_123",
        "status": "success"
    }
):
    handle_completion(event)
