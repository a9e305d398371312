# Document 002, "Interactive Chat Streaming", as it stands there.
async def interactive_chat(agent_id: str):
    """Interactive chat with streaming responses."""
    
    while True:
        user_input = input("You: ")
        if user_input.lower() == "exit":
            break
        
        print("Agent: ", end="", flush=True)
        
        async for chunk in client.sessions.execute_stream(
            agent_id=agent_id,
            goal=user_input
        ):
            if chunk.type == "text":
                print(chunk.content, end="", flush=True)
        
        print()  # New line after response
