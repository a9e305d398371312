// What a page can do with the native protocol: streams over both transports, with a token, a ticket or a subprotocol; and what
// a page of another origin cannot.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Browser, missing } from '../lib/browser.mjs';
import { guarded, TOKEN } from '../lib/documents.mjs';

let browser, server;
before(async () => {
  browser = missing ? null : await Browser.start();
  server = await guarded();
});
afterEach(() => browser?.clear());
after(async () => {
  await browser?.stop();
  await server.stop();
});

const socket = (topic, query = '', protocols = '[]', of = server) => `
  const ws = new WebSocket('${of.url.replace('http', 'ws')}/v1/topics/${topic}${query}', ${protocols});
  ws.onmessage = ({ data }) => { const message = JSON.parse(data); show(message.type, message.data ?? null); };
  ws.onclose = ({ code }) => show('closed', code);
`;

const sse = (name, topic, query) => `
  const ${name} = new EventSource('/v1/topics/${topic}?${query}');
  ${name}.onmessage = (event) => show('${name}', Number(event.lastEventId.split(':')[1]), JSON.parse(event.data).data);
  ${name}.onopen = () => show('${name}', 'open');
  ${name}.onerror = () => show('${name}', 'error', ${name}.readyState);
`;

const play = (script, how = {}) => browser.play(server, { calls: ['show'], after: script, ...how });

test('a page reads a topic over a WebSocket', { skip: missing }, async () => {
  const page = await play(socket('page.a', `?token=${TOKEN}`));
  assert.deepEqual(await page.next(), ['call', 'show', 'subscribed', null]);
  await server.publish('page.a', { text: '<b>bold</b> 😀\u2028' });
  assert.deepEqual(await page.next(), ['call', 'show', 'event', { text: '<b>bold</b> 😀\u2028' }]);
  assert.match((await page.shown()).at(-1), /<b>bold<\/b> 😀/);
});

test('a token may come as a subprotocol', { skip: missing }, async () => {
  const page = await play(socket('page.b', '', `['v1', 'bearer.${TOKEN}']`));
  assert.deepEqual(await page.next(), ['call', 'show', 'subscribed', null]);
});

test('a page reads a topic over SSE, from the oldest event on', { skip: missing }, async () => {
  await server.publish('page.c', 'one');
  const page = await play(sse('first', 'page.c', `token=${TOKEN}&from=oldest`), { own: true });
  assert.deepEqual(await page.take(2), [['call', 'show', 'first', 'open'], ['call', 'show', 'first', 1, 'one']]);
  await server.publish('page.c', 'two');
  assert.deepEqual(await page.next(), ['call', 'show', 'first', 2, 'two']);
});

test('a ticket opens one stream', { skip: missing }, async () => {
  const headers = { Authorization: `Bearer ${TOKEN}` };
  const { ticket } = await (await fetch(`${server.url}/v1/tickets`, { method: 'POST', headers })).json();
  const page = await play(sse('first', 'page.d', `ticket=${ticket}`), { own: true });
  assert.deepEqual(await page.next(), ['call', 'show', 'first', 'open']);
  await page.evaluate(`(() => { ${sse('second', 'page.d', `ticket=${ticket}`)} })()`);
  assert.deepEqual(await page.next(), ['call', 'show', 'second', 'error', 2]);
  await server.publish('page.d', 'x');
  assert.deepEqual(await page.next(), ['call', 'show', 'first', 1, 'x']);
});

test('pages of origins that are not listed open nothing', { skip: missing }, async () => {
  for (const [listed, expected] of [[browser.origin, ['subscribed', null]], ['https://app.example', ['closed', 1006]]]) {
    const choosy = await guarded(`[auth]\norigins = ["${listed}"]\n`);
    try {
      const page = await browser.play(choosy, { calls: ['show'], after: socket('page.e', `?token=${TOKEN}`, '[]', choosy) });
      assert.deepEqual(await page.next(), ['call', 'show', ...expected]);
    } finally {
      await choosy.stop();
    }
  }
});
