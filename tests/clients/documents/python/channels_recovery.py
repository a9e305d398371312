# Document 002, "Partial Response Recovery", as it stands there.
async def stream_with_recovery():
    last_position = 0
    
    while True:
        try:
            async for chunk in client.sessions.execute_stream(
                agent_id="agent_123",
                goal="Task",
                resume_from=last_position
            ):
                process_chunk(chunk)
                last_position = chunk.position
            break  # Success
        except ConnectionError:
            print(f"Reconnecting from position {last_position}")
            await asyncio.sleep(1)
