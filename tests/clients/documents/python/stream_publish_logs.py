# Document 000, "4. Log Streaming", as it stands there.
from ciris_engine.api.routes.stream import broadcast_log, LogStreamData

# In your logger
async def log_event(level: str, message: str, context: dict):
    await broadcast_log(LogStreamData(
        level=level,
        logger_name=__name__,
        message=message,
        context=context
    ))
