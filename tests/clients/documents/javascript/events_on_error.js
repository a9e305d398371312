// Document 001, "Connection Errors", as it stands there.
ws.addEventListener('error', (event) => {
    console.error('WebSocket error:', event);
    // Reconnect logic
});
