// Document 003, "Reconnection Support", as it stands there.
// Reconnect with last sequence
const ws = new WebSocket('ws://localhost:8000/api/v1/ws/analysis/{analysis_id}?last_sequence=42');
