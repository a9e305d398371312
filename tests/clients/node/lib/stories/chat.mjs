// Document 004: the `chat` protocol.

import assert from 'node:assert/strict';
import { guarded } from '../documents.mjs';

const USER = { id: 'client', email: '', name: 'client' };
const STEPS = [
  ['log', '[starting] Processing your question...'],
  ['log', '[agent_routing] Routing to the right expert...'],
  ['log', '[rag_retrieval] Searching knowledge base...'],
  ['log', '[generating] Generating response...'],
];

// The page of the document has an element for the answer.
const PAGE = `
  if (globalThis.document) document.body.append(Object.assign(document.createElement('p'), { id: 'response' }));
  else globalThis.document = { area: { textContent: '' }, getElementById() { return this.area; } };`;

async function chatClient(server, play) {
  const client = await play(server, { snippets: ['chat_client'], before: PAGE });
  assert.deepEqual(await client.take(2), [['log', 'Connected'], ['log', 'Authenticated:', USER]]);
  assert.deepEqual(await client.take(4), STEPS);
  const [complete, agent, confidence] = await client.take(3);
  assert.deepEqual(complete.slice(0, 2), ['log', 'Complete:']);
  assert.match(complete[2], /\bkW\b/);
  assert.deepEqual(agent, ['log', 'Agent:', 'specs']);
  assert.ok(confidence[2] > 0 && confidence[2] <= 1, String(confidence));
  assert.equal(await client.evaluate("document.getElementById('response').textContent"), complete[2]);
  await client.evaluate("chat.sendMessage('')");
  assert.deepEqual(await client.next(), ['error', 'Error [EMPTY_MESSAGE]: Message is required']);
  await client.evaluate('chat.disconnect()');
  assert.deepEqual(await client.next(), ['log', 'Disconnected']);
}

async function chatRefused(server, play) {
  const client = await play(server, { snippets: ['chat_client'], before: PAGE, token: 'nobodys' });
  assert.deepEqual(await client.take(3), [
    ['log', 'Connected'],
    ['error', 'Error [undefined]: Invalid token'],
    ['error', 'Error [AUTH_REQUIRED]: Authentication required'],
  ]);
}

/** What a snippet that only says who it is is answered. */
const signsIn = (name) => async (server, play) => {
  const after = "ws.onmessage = (event) => { const { type, user } = JSON.parse(event.data); console.log(type, user); };";
  const client = await play(server, { snippets: [name], after });
  assert.deepEqual(await client.next(), ['log', 'auth_success', USER]);
};

export const stories = [
  ['chat: authenticate, ask, and read the answer', guarded, chatClient],
  ['chat: a wrong token is told', guarded, chatRefused],
  ['chat: a token in the query', guarded, signsIn('chat_auth_query')],
  ['chat: a token in a message', guarded, signsIn('chat_auth_message')],
];
