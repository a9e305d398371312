# Document 002, "Reconnection Logic", as it stands there.
import asyncio
import websockets

class ReconnectingWebSocket:
    def __init__(self, uri, api_key):
        self.uri = uri
        self.api_key = api_key
        self.ws = None
        self.reconnect_delay = 1
        self.max_delay = 60
    
    async def connect(self):
        while True:
            try:
                self.ws = await websockets.connect(
                    self.uri,
                    extra_headers={"Authorization": f"Bearer {self.api_key}"}
                )
                self.reconnect_delay = 1  # Reset delay on success
                return
            except Exception as e:
                print(f"Connection failed: {e}")
                await asyncio.sleep(self.reconnect_delay)
                self.reconnect_delay = min(
                    self.reconnect_delay * 2,
                    self.max_delay
                )
    
    async def listen(self, handler):
        while True:
            try:
                await self.connect()
                async for message in self.ws:
                    await handler(json.loads(message))
            except websockets.ConnectionClosed:
                print("Connection closed, reconnecting...")
            except Exception as e:
                print(f"Error: {e}")
