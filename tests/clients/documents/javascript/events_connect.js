// Document 001, "Connect to WebSocket", as it stands there.
// JavaScript client
const ws = new WebSocket(`ws://${host}:${port}/ws/events/${sessionId}`);

ws.addEventListener('open', () => {
    console.log('Connected to event stream');
});

ws.addEventListener('message', (event) => {
    const data = JSON.parse(event.data);
    console.log('Received event batch:', data);
});

ws.addEventListener('close', () => {
    console.log('Disconnected from event stream');
});
