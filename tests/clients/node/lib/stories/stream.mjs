// Document 000: the `stream` protocol.

import assert from 'node:assert/strict';
import { guarded } from '../documents.mjs';
import { next } from './tell.mjs';

const MESSAGE = { message_id: 'm-1', channel_id: 'lobby', author_id: 'ada', content: 'Grüße 😀', direction: 'incoming' };
const TELEMETRY = { metric_name: 'cpu', value: 0.5, unit: null, tags: {} };

async function streamMessagesAndAll(server, play) {
  const after = "multiWs.onmessage = (event) => console.log('multi', JSON.parse(event.data));";
  const client = await play(server, { snippets: ['stream_messages_and_all'], after });
  const first = await client.take(4);
  const said = (text) => first.find((line) => line[1] === text);
  assert.ok(said('Connected to message stream'));
  assert.deepEqual(said('Authenticated:')[2], { authenticated: true, user_id: 'client', role: 'OBSERVER' });
  const multi = first.filter((line) => line[1] === 'multi').map((line) => line[2]);
  assert.deepEqual(multi.map((message) => message.type), ['auth', 'subscribe']);
  assert.deepEqual(multi[1].data, { subscribed: ['message', 'telemetry', 'reasoning'], denied: [] });
  await server.awaitReaders('stream.message', 2);
  await server.publish('stream.message', MESSAGE);
  const both = await client.take(2);
  assert.deepEqual(both.find((line) => line[1] === 'New message:')[2], MESSAGE);
  assert.deepEqual(both.find((line) => line[1] === 'multi')[2].data, MESSAGE);
  await server.publish('stream.telemetry', { metric_name: 'cpu', value: 0.5 });
  const [, , telemetry] = await client.next();
  assert.deepEqual([telemetry.type, telemetry.data], ['telemetry', TELEMETRY]);
}

async function refusedWithCodeAndReason(server, play) {
  const closed = (name) => `${name}.onclose = (event) => console.log('closed', event.code, event.reason);`;
  const after = closed('ws') + closed('multiWs');
  const client = await play(server, { snippets: ['stream_messages_and_all'], after, token: 'nobodys' });
  for (let socket = 0; socket < 2; socket += 1) {
    assert.deepEqual(await next(client, 'Connected to message stream'), ['log', 'closed', 1008, 'Authentication required']);
  }
}

export const stories = [
  ['stream: messages, and several streams over one socket', guarded, streamMessagesAndAll],
  ['stream: a wrong token is told by code and reason', guarded, refusedWithCodeAndReason],
];
