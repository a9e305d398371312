# Document 002, "Buffering", as it stands there.
class BufferedStream:
    def __init__(self, stream, buffer_size=10):
        self.stream = stream
        self.buffer_size = buffer_size
        self.buffer = []
    
    async def __aiter__(self):
        async for chunk in self.stream:
            self.buffer.append(chunk)
            
            if len(self.buffer) >= self.buffer_size:
                yield self.buffer
                self.buffer = []
        
        if self.buffer:
            yield self.buffer
