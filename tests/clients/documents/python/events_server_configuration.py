# Document 001, "Server Configuration", as it stands there.
from htmlgraph.api.websocket import WebSocketManager

manager = WebSocketManager(
    db_path="/path/to/htmlgraph.db",
    max_clients_per_session=10,      # Max clients per session
    event_batch_size=50,              # Events per batch
    event_batch_window_ms=50.0,       # Batching window (ms)
    poll_interval_ms=100.0,           # Poll interval (ms)
)
