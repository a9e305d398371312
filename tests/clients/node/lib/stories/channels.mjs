// Document 002: the `channels` protocol.

import assert from 'node:assert/strict';
import { guarded } from '../documents.mjs';

async function channelsConnect(server, play) {
  const client = await play(server, { snippets: ['channels_connect'] });
  await server.awaitReaders('channels.sessions');
  await server.awaitReaders('channels.agents');
  const data = { session_id: 'sess_1', agent_id: 'agent_123' };
  await server.publish('channels.teams', { type: 'team.created', data: { team_id: 't' } });
  await server.publish('channels.sessions', { type: 'session.started', data }, { type: 'session.completed', data });
  assert.deepEqual(await client.take(2), [['log', 'Session started:', 'sess_1'], ['log', 'Session completed:', 'sess_1']]);
  await server.publish('channels.agents', { type: 'agent.error', data: { agent_id: 'a', error: 'out of tokens' } });
  assert.deepEqual(await client.next(), ['error', 'Agent error:', 'out of tokens']);
  await server.stop();
  assert.deepEqual(await client.next(), ['log', 'WebSocket closed']);
}

async function channelsRefused(server, play) {
  const after = "ws.addEventListener('close', (event) => console.log(event.code));"
    + "ws.addEventListener('message', (event) => console.log(JSON.parse(event.data).code));";
  const client = await play(server, { snippets: ['channels_connect'], after, token: 'nobodys' });
  assert.deepEqual(await client.take(3), [['log', 'AUTH_FAILED'], ['log', 'WebSocket closed'], ['log', 1008]]);
}

export const stories = [
  ['channels: authenticate, subscribe, receive', guarded, channelsConnect],
  ['channels: a wrong token is told', guarded, channelsRefused],
];
