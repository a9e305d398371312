// The JavaScript snippets of the protocol documents in Node.js, with its own WebSocket and with `ws`.

import { test } from 'node:test';
import { WebSocket as Ws } from 'ws';
import { playerWith } from '../lib/play.mjs';
import { stories, tell } from '../lib/stories/all.mjs';

for (const [kind, WebSocket] of [['the WebSocket of Node.js', globalThis.WebSocket], ['ws', Ws]]) {
  for (const [name, start, run] of stories) {
    test(`${name} (${kind})`, { skip: !WebSocket && 'needs node --experimental-websocket' }, async () => {
      const clients = [];
      const player = playerWith(WebSocket);
      const play = async (...how) => {
        clients.push(await player(...how));
        return clients.at(-1);
      };
      try {
        await tell(start, run, play);
      } finally {
        for (const client of clients) await client.close();
      }
    });
  }
}
