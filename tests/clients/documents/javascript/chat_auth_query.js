// Document 004, "Option 1: Query Parameter", as it stands there.
const ws = new WebSocket('ws://localhost:8000/ws/chat?token=your_jwt_token');
