// Document 001: the `events` protocol.

import assert from 'node:assert/strict';
import { Server } from '../server.mjs';
import { next } from './tell.mjs';

const SESSION = 'events.session-123';
const event = (number, members = {}) => ({
  event_id: `evt-${number}`, event_type: 'tool_call', tool_name: 'Edit', session_id: 'session-123', ...members,
});
const FIELDS = [
  'event_id', 'agent_id', 'event_type', 'timestamp', 'tool_name', 'input_summary', 'output_summary', 'session_id',
  'status', 'model', 'parent_event_id', 'execution_duration_seconds', 'cost_tokens', 'feature_id',
];

const numbers = (count) => Array.from({ length: count }, (_, n) => n + 1);
const hostAndPort = (server) => ({ host: '127.0.0.1', port: new URL(server.url).port });

async function eventsConnect(server, play) {
  const names = { ...hostAndPort(server), sessionId: 'session-123' };
  const client = await play(server, { snippets: ['events_connect'], names });
  assert.deepEqual(await client.next(), ['log', 'Connected to event stream']);
  await server.awaitReaders(SESSION);
  await server.publish(SESSION, event(1, { cost_tokens: 125 }));
  const [, text, batch] = await client.next();
  assert.deepEqual([text, batch.type, batch.count], ['Received event batch:', 'batch', 1]);
  assert.deepEqual(Object.keys(batch.events[0]), FIELDS);
  assert.deepEqual([batch.events[0].event_id, batch.events[0].cost_tokens], ['evt-1', 125]);
  await server.stop();
  assert.deepEqual(await client.next(), ['log', 'Disconnected from event stream']);
}

async function eventsFilter(server, play) {
  const after = "ws.onmessage = (event) => JSON.parse(event.data).events.forEach((one) => console.log(one.event_id));";
  const client = await play(server, { snippets: ['events_filter'], after });
  await server.awaitReaders(SESSION);
  const variants = [
    { cost_tokens: 100, status: 'completed' }, { cost_tokens: 99, status: 'completed' },
    { cost_tokens: 100, status: 'running' }, { cost_tokens: 500, status: 'error', event_type: 'error' },
    { cost_tokens: 500, status: 'completed', event_type: 'completion' }, { cost_tokens: 101, status: 'error' },
  ];
  await server.publish(SESSION, ...variants.map((members, number) => event(number, members)));
  assert.deepEqual((await client.take(3)).map((line) => line[1]), ['evt-0', 'evt-3', 'evt-5']);
}

async function eventsFeed(server, play, how, name) {
  const client = await play(server, { calls: [name], ...how });
  await server.awaitReaders(SESSION);
  await server.publish(SESSION, ...[1, 2, 3].map((number) => event(number)));
  const calls = await client.take(3);
  assert.deepEqual(calls.map(([kind, called, evt]) => [kind, called, evt.event_id]), [1, 2, 3].map((n) => ['call', name, `evt-${n}`]));
}

const eventsActivityFeed = (server, play) =>
  eventsFeed(server, play, { snippets: ['events_activity_feed'] }, 'updateActivityFeed');

const opened = (server) => `let wsUrl = '${server.url.replace('http', 'ws')}/ws/events/session-123'; let ws = new WebSocket(wsUrl);`;

const eventsFeedUpdate = (server, play) =>
  eventsFeed(server, play, { snippets: ['events_feed_update'], before: opened(server) }, 'addToActivityFeed');

async function eventsReconnect(server, play, restart) {
  const snippets = ['events_on_error', 'events_on_close', 'events_reconnect'];
  const client = await play(server, { snippets, before: opened(server) });
  await server.awaitReaders(SESSION);
  await server.stop('SIGKILL');
  assert.deepEqual(await next(client, 'WebSocket error:'), ['log', 'Connection lost, reconnecting...']);
  const again = await restart();
  await again.awaitReaders(SESSION);
  await client.evaluate("ws.addEventListener('message', (event) => console.log(JSON.parse(event.data).events[0].event_id)); 0");
  await again.publish(SESSION, event(7));
  assert.equal((await next(client, 'WebSocket error:'))[1], 'evt-7');
}

async function eventsClosedNormally(server, play) {
  const client = await play(server, { snippets: ['events_on_close'], before: opened(server) });
  await server.awaitReaders(SESSION);
  await server.stop();
  assert.deepEqual(await client.next(), ['log', 'Connection closed normally']);
}

async function eventsHeartbeat(server, play) {
  const quick = 'const slow = setInterval; setInterval = (beat, time) => slow(beat, time / 300);';
  const after = "ws.onmessage = (event) => console.log(JSON.parse(event.data));";
  const client = await play(server, { snippets: ['events_heartbeat'], before: quick + opened(server), after });
  for (const [, pong] of await client.take(2)) {
    assert.deepEqual([pong.type, Object.keys(pong)], ['pong', ['type', 'timestamp']]);
  }
}

async function eventsClientConfiguration(server, play) {
  const address = `${server.url.replace('http', 'ws')}/ws/events/session-123`;
  const after = `console.log(config);
    const ws = new WebSocket('${address}?batch_size=' + config.batch_size + '&poll_interval=' + config.batch_window_ms);
    ws.onmessage = (event) => console.log(JSON.parse(event.data).count);`;
  const client = await play(server, { snippets: ['events_client_configuration'], after });
  const [, config] = await client.next();
  assert.deepEqual(config, { batch_size: 50, batch_window_ms: 50, reconnect_interval_ms: 1000, max_reconnect_attempts: 10 });
  await server.awaitReaders(SESSION);
  await server.publishLines(SESSION, ...numbers(120).map((number) => event(number)));
  const sizes = [];
  while (sizes.reduce((sum, size) => sum + size, 0) < 120) sizes.push((await client.next())[1]);
  assert.ok(sizes.length >= 3 && Math.max(...sizes) <= config.batch_size, String(sizes));
}

const open = () => Server.start();

export const stories = [
  ['events: connect', open, eventsConnect],
  ['events: the filter of the document', open, eventsFilter],
  ['events: the activity feed', open, eventsActivityFeed],
  ['events: the update of a feed', open, eventsFeedUpdate],
  ['events: a lost connection comes back', open, eventsReconnect],
  ['events: a drain is a normal close', open, eventsClosedNormally],
  ['events: heartbeats are answered', open, eventsHeartbeat],
  ['events: the batches that the client asks for', open, eventsClientConfiguration],
];
