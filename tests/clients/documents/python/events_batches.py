# Document 001, "Python Client", as it stands there.
import asyncio
import json
import websockets

async def stream_events(session_id: str):
    uri = f"ws://localhost:8000/ws/events/{session_id}"

    async with websockets.connect(uri) as websocket:
        while True:
            message = await websocket.recv()
            data = json.loads(message)
            print(f"Event batch: {data['count']} events")

            for event in data['events']:
                print(f"  - {event['event_type']}: {event['tool_name']}")

asyncio.run(stream_events("session-123"))
