# Document 002, "Rate Limiting", as it stands there.
from asyncio import Semaphore

class RateLimitedStream:
    def __init__(self, stream, rate_limit=100):
        self.stream = stream
        self.semaphore = Semaphore(rate_limit)
    
    async def __aiter__(self):
        async for chunk in self.stream:
            async with self.semaphore:
                yield chunk
