// Document 001, "Activity Feed Updates", as it stands there.
// Real-time updates for UI
ws.addEventListener('message', (event) => {
    const batch = JSON.parse(event.data);
    batch.events.forEach(evt => {
        addToActivityFeed(evt);
    });
});
