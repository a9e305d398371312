# Document 002, "Connection Pooling", as it stands there.
from contextlib import asynccontextmanager

class StreamingPool:
    def __init__(self, max_connections=10):
        self.semaphore = asyncio.Semaphore(max_connections)
        self.connections = []
    
    @asynccontextmanager
    async def get_connection(self):
        async with self.semaphore:
            conn = await self._create_connection()
            try:
                yield conn
            finally:
                await self._release_connection(conn)
