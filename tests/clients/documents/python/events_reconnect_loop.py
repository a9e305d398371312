# Document 001, "Graceful Reconnection", as it stands there.
async def reconnect_loop(session_id: str, max_attempts: int = 10):
    attempts = 0

    while attempts < max_attempts:
        try:
            await stream_events(session_id)
            attempts = 0  # Reset on successful connection
        except Exception as e:
            attempts += 1
            wait_time = min(2 ** attempts, 60)  # Exponential backoff
            print(f"Reconnecting in {wait_time}s (attempt {attempts})")
            await asyncio.sleep(wait_time)
