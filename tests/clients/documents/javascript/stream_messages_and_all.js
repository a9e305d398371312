// Document 000, "JavaScript/TypeScript Client", as it stands there.
// Connect to message stream
const ws = new WebSocket('ws://localhost:8000/v1/stream/messages?token=YOUR_API_KEY');

ws.onopen = () => {
    console.log('Connected to message stream');
};

ws.onmessage = (event) => {
    const msg = JSON.parse(event.data);
    
    switch(msg.type) {
        case 'auth':
            console.log('Authenticated:', msg.data);
            break;
        case 'message':
            console.log('New message:', msg.data);
            break;
        case 'heartbeat':
            // Keep connection alive
            break;
    }
};

// Multiplexed stream with subscription
const multiWs = new WebSocket('ws://localhost:8000/v1/stream/all?token=YOUR_API_KEY');

multiWs.onopen = () => {
    // Subscribe to multiple streams
    multiWs.send(JSON.stringify({
        type: 'subscribe',
        streams: ['message', 'telemetry', 'reasoning']
    }));
};
