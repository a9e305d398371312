# Document 002, "Stream Errors", as it stands there.
async def handle_stream_errors():
    try:
        async for chunk in client.sessions.execute_stream(
            agent_id="agent_123",
            goal="Task"
        ):
            process_chunk(chunk)
    
    except StreamError as e:
        if e.code == "RATE_LIMITED":
            await asyncio.sleep(e.retry_after)
            # Retry
        elif e.code == "TIMEOUT":
            # Handle timeout
            pass
        elif e.code == "CONNECTION_LOST":
            # Reconnect
            pass
        else:
            raise
