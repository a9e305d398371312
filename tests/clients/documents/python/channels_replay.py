# Document 002, "Event Replay", as it stands there.
# Replay missed events
events = await client.events.replay(
    since="2026-02-21T00:00:00Z",
    events=["session.completed"]
)

for event in events:
    process_event(event)
