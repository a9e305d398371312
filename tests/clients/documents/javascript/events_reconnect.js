// Document 001, "2. Handle Reconnections", as it stands there.
let reconnectAttempts = 0;
const maxReconnectAttempts = 10;

function reconnect() {
    if (reconnectAttempts >= maxReconnectAttempts) {
        console.error('Max reconnection attempts reached');
        return;
    }

    reconnectAttempts++;
    const delay = Math.min(1000 * Math.pow(2, reconnectAttempts), 30000);

    setTimeout(() => {
        ws = new WebSocket(wsUrl);
    }, delay);
}
