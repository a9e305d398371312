# Document 003, "Using create_streaming_callback", as it stands there.
from api.websocket_server import create_streaming_callback
from core.agents.coordinator import SwarmCoordinator

# Create callback
callback = await create_streaming_callback("analysis-123")

# Use with coordinator
coordinator = SwarmCoordinator()
result = await coordinator.analyze_bill(context, event_callback=callback)
