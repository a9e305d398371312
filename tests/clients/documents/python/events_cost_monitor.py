# Document 001, "Cost Monitoring and Alerts", as it stands there.
import asyncio
import websockets
import json

async def monitor_costs(session_id: str, threshold: int = 5000):
    filter = EventSubscriptionFilter(cost_threshold_tokens=threshold)

    uri = f"ws://localhost:8000/ws/events/{session_id}"
    async with websockets.connect(uri) as ws:
        while True:
            message = await ws.recv()
            data = json.loads(message)

            for event in data['events']:
                if event['cost_tokens'] > threshold:
                    send_alert(f"High cost event: {event['cost_tokens']} tokens")

asyncio.run(monitor_costs("session-123"))
