# Document 002, "Cancelling Streams", as it stands there.
import asyncio

async def stream_with_timeout():
    try:
        async with asyncio.timeout(30):  # 30 second timeout
            async for chunk in client.sessions.execute_stream(
                agent_id="agent_123",
                goal="Long task"
            ):
                print(chunk.content, end="", flush=True)
    except asyncio.TimeoutError:
        print("\nStream timed out")
        # Cancel the session
        await client.sessions.cancel(session_id)
