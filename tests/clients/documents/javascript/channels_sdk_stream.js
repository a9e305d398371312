// Document 002, "JavaScript SDK Streaming", as it stands there.
import { ResonantGenesis } from '@resonantgenesis/sdk';

const client = new ResonantGenesis({ apiKey: 'your_key' });

// Stream agent execution
const stream = await client.sessions.executeStream({
  agentId: 'agent_123',
  goal: 'Write a poem about AI'
});

for await (const chunk of stream) {
  if (chunk.type === 'text') {
    process.stdout.write(chunk.content);
  } else if (chunk.type === 'tool_call') {
    console.log(`\n[Calling ${chunk.tool}...]`);
  } else if (chunk.type === 'done') {
    console.log(`\n\nCompleted: ${chunk.sessionId}`);
  }
}
