# Document 000, "1. Message Streaming", as it stands there.
from ciris_engine.api.routes.stream import broadcast_message, MessageStreamData

# In your message handler
async def handle_incoming_message(msg: IncomingMessage):
    # Broadcast incoming message
    await broadcast_message(MessageStreamData(
        message_id=msg.message_id,
        channel_id=msg.channel_id,
        author_id=msg.author_id,
        content=msg.content,
        direction="incoming"
    ))
    
    # Process message...
    
    # When agent responds
    await broadcast_message(MessageStreamData(
        message_id=response_id,
        channel_id=msg.channel_id,
        author_id="agent",
        content=response_content,
        direction="outgoing"
    ))
