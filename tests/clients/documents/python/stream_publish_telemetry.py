# Document 000, "2. Telemetry Streaming", as it stands there.
from ciris_engine.api.routes.stream import broadcast_telemetry, TelemetryStreamData

# In your telemetry emitter
async def emit_metric(name: str, value: float, tags: dict):
    await broadcast_telemetry(TelemetryStreamData(
        metric_name=name,
        value=value,
        tags=tags
    ))
