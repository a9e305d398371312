// Document 001, "Real-Time Activity Feed", as it stands there.
const ws = new WebSocket('ws://localhost:8000/ws/events/session-123');

ws.addEventListener('message', (event) => {
    const batch = JSON.parse(event.data);

    for (const evt of batch.events) {
        updateActivityFeed(evt);
    }
});
