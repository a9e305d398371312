// What a page can do with the native protocol: streams over both transports, resuming, and reading why it was refused.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, missing } from '../lib/browser.mjs';
import { guarded, TOKEN } from '../lib/documents.mjs';

let browser, server;
before(async () => {
  browser = missing ? null : await Browser.start();
  server = await guarded();
});
after(async () => {
  await browser?.stop();
  await server.stop();
});

const sse = (topic, token) => `
  const source = new EventSource('${server.url}/v1/topics/${topic}?token=${token}');
  source.onmessage = (event) => show(event.lastEventId.split(':')[1], JSON.parse(event.data).data);
  source.onerror = () => console.log('error', source.readyState);
`;

test('a page reads a topic over a WebSocket', { skip: missing }, async () => {
  const script = `
    const ws = new WebSocket('${server.url.replace('http', 'ws')}/v1/topics/page.a?token=${TOKEN}');
    ws.onmessage = ({ data }) => { const message = JSON.parse(data); show(message.type, message.data ?? null); };
  `;
  const page = await browser.play(server, { calls: ['show'], after: script });
  assert.deepEqual(await page.next(), ['call', 'show', 'subscribed', null]);
  await server.publish('page.a', { text: '<b>bold</b> 😀\u2028' });
  assert.deepEqual(await page.next(), ['call', 'show', 'event', { text: '<b>bold</b> 😀\u2028' }]);
  assert.match((await page.shown()).at(-1), /<b>bold<\/b> 😀/);
  await browser.clear();
});
