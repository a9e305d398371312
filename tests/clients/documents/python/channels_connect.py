# Document 002, "WebSocket Connection", as it stands there.
import websockets
import json

async def connect_websocket():
    uri = "wss://api.resonantgenesis.xyz/v1/ws"
    
    async with websockets.connect(
        uri,
        extra_headers={"Authorization": "Bearer YOUR_API_KEY"}
    ) as ws:
        # Subscribe to events
        await ws.send(json.dumps({
            "type": "subscribe",
            "channels": ["sessions", "agents"]
        }))
        
        # Listen for messages
        async for message in ws:
            data = json.loads(message)
            handle_event(data)

def handle_event(data):
    event_type = data.get("type")
    
    if event_type == "session.started":
        print(f"Session started: {data['session_id']}")
    elif event_type == "session.completed":
        print(f"Session completed: {data['session_id']}")
    elif event_type == "agent.error":
        print(f"Agent error: {data['error']}")
