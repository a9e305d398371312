// Document 001, "Disconnect Handling", as it stands there.
ws.addEventListener('close', (event) => {
    if (event.wasClean) {
        console.log('Connection closed normally');
    } else {
        console.log('Connection lost, reconnecting...');
        setTimeout(() => reconnect(), 1000);
    }
});
