# Document 001, "High Latency", as it stands there.
# Reduce batch size
manager = WebSocketManager(event_batch_size=25)

# Increase poll interval for aggregation
manager.poll_interval_ms = 200.0

# Monitor metrics
metrics = manager.get_session_metrics(session_id)
