# Document 001, "Get WebSocket Metrics", as it stands there.
# Get metrics for specific session
metrics = manager.get_session_metrics(session_id)
print(f"Connected clients: {metrics['connected_clients']}")
print(f"Events sent: {metrics['total_events_sent']}")
print(f"Bytes sent: {metrics['total_bytes_sent']}")

# Get global metrics
global_metrics = manager.get_global_metrics()
print(f"Active sessions: {global_metrics['active_sessions']}")
print(f"Total events broadcast: {global_metrics['total_events_broadcast']}")
