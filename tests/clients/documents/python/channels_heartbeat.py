# Document 002, "Heartbeat", as it stands there.
async def maintain_connection(ws):
    """Send periodic heartbeats."""
    while True:
        try:
            await ws.send(json.dumps({"type": "ping"}))
            await asyncio.sleep(30)
        except:
            break
