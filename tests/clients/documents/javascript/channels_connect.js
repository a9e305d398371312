// Document 002, "JavaScript WebSocket", as it stands there.
const ws = new WebSocket('wss://api.resonantgenesis.xyz/v1/ws');

ws.onopen = () => {
  // Authenticate
  ws.send(JSON.stringify({
    type: 'auth',
    token: 'YOUR_API_KEY'
  }));
  
  // Subscribe to channels
  ws.send(JSON.stringify({
    type: 'subscribe',
    channels: ['sessions', 'agents']
  }));
};

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  
  switch (data.type) {
    case 'session.started':
      console.log('Session started:', data.session_id);
      break;
    case 'session.completed':
      console.log('Session completed:', data.session_id);
      break;
    case 'agent.error':
      console.error('Agent error:', data.error);
      break;
  }
};

ws.onerror = (error) => {
  console.error('WebSocket error:', error);
};

ws.onclose = () => {
  console.log('WebSocket closed');
  // Implement reconnection logic
};
