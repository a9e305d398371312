// The `ws` client: streams, many topics, compression, fragments, closing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, newTopic, soon } from '../lib/server.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

test('a stream begins with its outcome and goes on', async () => {
  const topic = newTopic();
  const { epoch } = await server.publish(topic, 'before');
  const socket = server.websocket(`/v1/topics/${topic}`);
  assert.deepEqual(await socket.next(), { type: 'subscribed', topic, epoch, offset: 1, recovered: true, missed: 0 });
  await server.publish(topic, { n: 1 });
  const event = await socket.next();
  assert.deepEqual([event.type, event.offset, event.data], ['event', 2, { n: 1 }]);
  assert.ok([1000, 1005].includes((await socket.close()).code), 'a close without a code may be answered with 1000');
});

test('a position resumes', async () => {
  const topic = newTopic();
  const { epoch } = await server.publish(topic, 1, 2, 3);
  const socket = server.websocket(`/v1/topics/${topic}?after=${epoch}:1`);
  const [begun, ...events] = await socket.take(3);
  assert.equal(begun.recovered, true);
  assert.deepEqual(events.map((event) => event.data), [2, 3]);
  await socket.close();
});

test('many topics share a socket', async () => {
  const topic = newTopic();
  const socket = server.websocket('/v1/topics');
  const pattern = await socket.request({ type: 'subscribe', topic: `${topic}.*`, ref: 1 });
  assert.deepEqual([pattern.type, pattern.pattern, pattern.topics, pattern.ref], ['subscribed', `${topic}.*`, 0, 1]);
  const published = await socket.request({ type: 'publish', topic: `${topic}.a`, data: 'x', ref: 'p' });
  const rest = [published, ...await socket.take(2)];
  const kinds = rest.map((message) => message.type).sort();
  assert.deepEqual(kinds, ['event', 'published', 'subscribed']);
  assert.equal(rest.find((message) => message.type === 'event').data, 'x');
  await socket.close();
});

for (const perMessageDeflate of [true, false]) {
  test(`large and small messages arrive ${perMessageDeflate ? 'compressed' : 'plain'}`, async () => {
    const topic = newTopic();
    const socket = server.websocket(`/v1/topics/${topic}`, { perMessageDeflate });
    await socket.next();
    assert.equal(socket.socket.extensions.includes('permessage-deflate'), perMessageDeflate);
    const texts = ['a', 'word '.repeat(100), 'é😀'.repeat(5000), 'z'.repeat(200_000)];
    await server.publish(topic, ...texts);
    assert.deepEqual((await socket.take(texts.length)).map((event) => event.data), texts);
    await socket.close();
  });
}

test('a compressed and a plain reader get the same, also one that has its own window', async () => {
  const topic = newTopic();
  const ways = [true, false, { serverNoContextTakeover: true, clientNoContextTakeover: true }, { serverMaxWindowBits: 10 }];
  const sockets = ways.map((perMessageDeflate) => server.websocket(`/v1/topics/${topic}`, { perMessageDeflate }));
  for (const socket of sockets) await socket.next();
  const events = Array.from({ length: 50 }, (_, n) => ({ n, text: 'the same words '.repeat(n) }));
  await server.publish(topic, ...events);
  for (const socket of sockets) {
    assert.deepEqual((await socket.take(50)).map((event) => event.data), events);
    await socket.close();
  }
});

test('compressed and fragmented requests are understood', async () => {
  const socket = server.websocket('/v1/topics', { perMessageDeflate: { threshold: 0 } });
  await soon(socket.opened, 'open');
  const text = JSON.stringify({ type: 'publish', topic: newTopic(), data: 'x'.repeat(5000) });
  socket.socket.send(text, { compress: true });
  assert.equal((await socket.next()).type, 'published');
  socket.socket.send(text.slice(0, 2000), { fin: false });
  socket.socket.ping('between');
  socket.socket.send(text.slice(2000), { fin: true });
  assert.equal((await socket.next()).offset, 2);
  await socket.close();
});

test('pings are answered and the application has its own', async () => {
  const socket = server.websocket('/v1/topics');
  await soon(socket.opened, 'open');
  const pong = new Promise((resolve) => socket.socket.on('pong', resolve));
  socket.socket.ping('hello');
  assert.equal(String(await soon(pong, 'pong')), 'hello');
  assert.equal((await socket.request({ type: 'ping' })).type, 'pong');
  await socket.close();
});

test('binary where text is expected closes with 1003', async () => {
  const socket = server.websocket('/v1/topics');
  await soon(socket.opened, 'open');
  socket.socket.send(Buffer.from([1, 2, 3]));
  assert.equal((await soon(socket.closed, 'close')).code, 1003);
});

test('publishing over a socket is acknowledged in order', async () => {
  const topic = newTopic();
  const socket = server.websocket(`/v1/publish?topic=${topic}`);
  await soon(socket.opened, 'open');
  for (let n = 0; n < 200; n += 1) socket.socket.send(JSON.stringify({ data: n }));
  const acks = await socket.take(200);
  assert.deepEqual(acks.map((ack) => ack.message), Array.from({ length: 200 }, (_, n) => n + 1));
  assert.equal(acks.at(-1).topics[0].last, 200);
  await socket.close();
});
