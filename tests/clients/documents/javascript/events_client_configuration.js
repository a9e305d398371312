// Document 001, "Client Configuration", as it stands there.
// Configure batching
const config = {
    batch_size: 50,           // Events per batch
    batch_window_ms: 50,      // Batching window
    reconnect_interval_ms: 1000,  // Reconnection interval
    max_reconnect_attempts: 10
};
