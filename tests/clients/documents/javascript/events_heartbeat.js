// Document 001, "5. Implement Heartbeat/Keepalive", as it stands there.
const heartbeatInterval = 30000; // 30 seconds

setInterval(() => {
    if (ws.readyState === WebSocket.OPEN) {
        ws.send(JSON.stringify({type: 'ping'}));
    }
}, heartbeatInterval);
