# Document 001, "High Memory Usage", as it stands there.
# Reduce batch window
manager = WebSocketManager(event_batch_window_ms=25.0)

# Limit concurrent clients
manager.max_clients_per_session = 5

# Monitor memory
manager.get_global_metrics()
