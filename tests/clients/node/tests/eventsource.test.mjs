// The EventSource client, and what browsers need: resuming by itself, named events, CORS-free fetch streams.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, newTopic, soon } from '../lib/server.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

test('events arrive with their ids', async () => {
  const topic = newTopic();
  const { epoch } = await server.publish(topic, 1, 2);
  const stream = server.eventSource(`/v1/topics/${topic}?from=oldest`);
  const [begun, first, second] = await stream.take(3);
  assert.equal(begun.name, 'subscribed');
  assert.deepEqual([first.name, first.id, first.data], ['message', `${epoch}:1`, 1]);
  assert.deepEqual([second.id, second.data], [`${epoch}:2`, 2]);
  stream.close();
});

test('several topics come over one stream', async () => {
  const topic = newTopic();
  const stream = server.eventSource(`/v1/topics?topic=${topic}.a&topic=${topic}.b`);
  await stream.take(2);
  await server.publish(`${topic}.a`, 'x');
  await server.publish(`${topic}.b`, 'y');
  const events = await stream.take(2);
  assert.deepEqual(events.map((event) => [event.topic, event.data]), [[`${topic}.a`, 'x'], [`${topic}.b`, 'y']]);
  stream.close();
});

test('a client that was cut off resumes by itself, losing and repeating nothing', async () => {
  const topic = newTopic();
  let cut = () => {};
  const cuttable = (input, init) => {
    const controller = new AbortController();
    cut = () => controller.abort();
    init.signal?.addEventListener('abort', cut);
    return fetch(input, { ...init, signal: controller.signal }).then((response) => severable(response, controller));
  };
  const stream = server.eventSource(`/v1/topics/${topic}`, { fetch: cuttable });
  await stream.next();
  await server.publish(topic, 1, 2);
  await stream.take(2);
  cut();
  await server.publish(topic, 3, 4);
  const [begun, ...events] = await stream.take(3);
  assert.equal(begun.recovered, true);
  assert.deepEqual(events.map((event) => event.data), [3, 4]);
  stream.close();
});

/** A response whose body just ends when it is cut, as one from a lost server does. */
function severable(response, controller) {
  const reader = response.body.getReader();
  const body = new ReadableStream({
    async pull(sink) {
      const { done, value } = await reader.read().catch(() => ({ done: true }));
      if (done) sink.close();
      else sink.enqueue(value);
    },
    cancel: () => controller.abort(),
  });
  return { ...copy(response), body };
}

function copy({ status, headers, url, redirected }) {
  return { status, headers, url, redirected };
}

test('the fetch API reads NDJSON', async () => {
  const topic = newTopic();
  await server.publish(topic, 'a', 'b');
  const controller = new AbortController();
  const headers = { Accept: 'application/x-ndjson' };
  const response = await fetch(`${server.url}/v1/topics/${topic}?from=oldest`, { headers, signal: controller.signal });
  assert.match(response.headers.get('content-type'), /^application\/x-ndjson/);
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of response.body) {
    text += decoder.decode(piece, { stream: true });
    if (text.trim().split('\n').filter(Boolean).length >= 3) break;
  }
  controller.abort();
  const lines = text.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((line) => line.type), ['subscribed', 'event', 'event']);
});

test('a drain closes sockets and streams, then the server ends well', async () => {
  const draining = await Server.start();
  const topic = newTopic();
  const socket = draining.websocket(`/v1/topics/${topic}`);
  const stream = draining.eventSource(`/v1/topics/${topic}`);
  await Promise.all([socket.next(), stream.next()]);
  const ended = draining.stop();
  assert.deepEqual(await soon(socket.closed, 'close'), { code: 1012, reason: 'restarting' });
  assert.equal((await stream.next()).code, 1012);
  stream.close();
  assert.equal(await ended, 0);
});
