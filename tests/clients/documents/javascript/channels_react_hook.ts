// Document 002, "React Hook", as it stands there.
import { useState, useEffect } from 'react';
import { ResonantGenesis } from '@resonantgenesis/sdk';

function useAgentStream(agentId: string, goal: string) {
  const [content, setContent] = useState('');
  const [isStreaming, setIsStreaming] = useState(false);
  const [error, setError] = useState<Error | null>(null);

  useEffect(() => {
    if (!goal) return;

    const client = new ResonantGenesis({ apiKey: process.env.API_KEY });
    let cancelled = false;

    async function stream() {
      setIsStreaming(true);
      setContent('');
      setError(null);

      try {
        const stream = await client.sessions.executeStream({
          agentId,
          goal
        });

        for await (const chunk of stream) {
          if (cancelled) break;
          
          if (chunk.type === 'text') {
            setContent(prev => prev + chunk.content);
          }
        }
      } catch (err) {
        if (!cancelled) {
          setError(err as Error);
        }
      } finally {
        if (!cancelled) {
          setIsStreaming(false);
        }
      }
    }

    stream();

    return () => {
      cancelled = true;
    };
  }, [agentId, goal]);

  return { content, isStreaming, error };
}
