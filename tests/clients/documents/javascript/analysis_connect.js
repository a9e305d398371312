// Document 003, "Connect to Analysis Stream", as it stands there.
// Connect to WebSocket
const ws = new WebSocket('ws://localhost:8000/api/v1/ws/analysis/{analysis_id}');

ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    console.log(`Event: ${data.event_type}`, data);
};

ws.onopen = () => {
    console.log('Connected to analysis stream');
};
