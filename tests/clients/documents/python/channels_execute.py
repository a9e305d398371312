# Document 002, "Basic SSE Connection", as it stands there.
import httpx

async def stream_agent_response():
    async with httpx.AsyncClient() as client:
        async with client.stream(
            "POST",
            "https://api.resonantgenesis.xyz/v1/sessions/execute",
            json={
                "agent_id": "agent_123",
                "goal": "Write a story",
                "stream": True
            },
            headers={"Authorization": "Bearer YOUR_API_KEY"}
        ) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    data = json.loads(line[6:])
                    print(data)
