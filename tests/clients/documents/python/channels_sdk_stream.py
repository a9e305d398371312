# Document 002, "Python SDK Streaming", as it stands there.
from resonantgenesis import ResonantGenesis

client = ResonantGenesis(api_key="your_key")

# Stream agent execution
async for chunk in client.sessions.execute_stream(
    agent_id="agent_123",
    goal="Write a poem about AI"
):
    if chunk.type == "text":
        print(chunk.content, end="", flush=True)
    elif chunk.type == "tool_call":
        print(f"\n[Calling {chunk.tool}...]")
    elif chunk.type == "done":
        print(f"\n\nCompleted: {chunk.session_id}")
