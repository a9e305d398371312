# Document 000, "3. Reasoning Streaming", as it stands there.
from ciris_engine.api.routes.stream import broadcast_reasoning, ReasoningStreamData

# In your handler/processor
async def process_thought(thought: str, handler: str, depth: int):
    await broadcast_reasoning(ReasoningStreamData(
        reasoning_id=f"reason_{uuid.uuid4()}",
        step="processing",
        thought=thought,
        depth=depth,
        handler=handler
    ))
