# Document 002, "Streaming with Context", as it stands there.
# Create session with context
session = client.sessions.create(
    agent_id="agent_123",
    context={
        "user_name": "Alice",
        "preferences": {"language": "en"}
    }
)

# Stream multiple turns
for turn in conversation:
    async for chunk in session.execute_stream(goal=turn):
        if chunk.type == "text":
            print(chunk.content, end="", flush=True)
    print()
