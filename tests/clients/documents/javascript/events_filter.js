// Document 001, "Example with Filter", as it stands there.
const filter = {
    event_types: ["tool_call", "error"],
    cost_threshold_tokens: 100,
    statuses: ["completed", "error"]
};

const query = `?filter=${encodeURIComponent(JSON.stringify(filter))}`;
const ws = new WebSocket(`ws://localhost:8000/ws/events/session-123${query}`);
