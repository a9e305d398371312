# Document 000, "Python Client", as it stands there.
import asyncio
import websockets
import json

async def message_stream():
    uri = "ws://localhost:8000/v1/stream/messages?token=YOUR_API_KEY"
    
    async with websockets.connect(uri) as websocket:
        # Receive auth confirmation
        auth_msg = await websocket.recv()
        print(f"Auth: {auth_msg}")
        
        # Listen for messages
        async for message in websocket:
            data = json.loads(message)
            if data['type'] == 'message':
                print(f"Message: {data['data']}")

# Run client
asyncio.run(message_stream())
