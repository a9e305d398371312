# Document 001, "Event Type Filter", as it stands there.
from htmlgraph.api.websocket import EventSubscriptionFilter

filter = EventSubscriptionFilter(
    event_types=["tool_call", "completion", "error"]
)
