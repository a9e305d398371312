# Document 002, "Subscribe to Events", as it stands there.
# Subscribe to real-time events
async for event in client.events.subscribe(
    events=["session.*", "agent.error"]
):
    print(f"Event: {event.type}")
    print(f"Data: {event.data}")
