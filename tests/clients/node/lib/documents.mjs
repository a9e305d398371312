// The snippets of the protocol documents, with host, port and token filled in and nothing else changed.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Server } from './server.mjs';

export const TOKEN = 'the-key-of-a-client';
const BACKEND = 'the-key-of-a-backend';

const key = (name, token, ...lines) => {
  const digest = createHash('sha256').update(token).digest('hex');
  return ['[[keys]]', `name = "${name}"`, `hash = "sha256:${digest}"`, ...lines, ''].join('\n');
};

const KEYS = key('backend', BACKEND, 'role = "root"', 'publish = ["**"]', 'subscribe = ["**"]')
  + key('client', TOKEN, 'subscribe = ["stream.**", "channels.**", "events.**", "analysis.**", "page.**"]');

/** A server that asks for keys; its `publish` has the backend's. */
export async function guarded(config = '') {
  const server = await Server.start(config + KEYS);
  server.headers = { Authorization: `Bearer ${BACKEND}` };
  return server;
}

/** The text of a snippet. */
export function snippet(name, server, { token = TOKEN, ...placeholders } = {}) {
  const address = server.url.replace('http://', '');
  const changes = {
    'wss://api.resonantgenesis.xyz': `ws://${address}`,
    'localhost:8000': address,
    YOUR_API_KEY: token,
    your_jwt_token: token,
    ...Object.fromEntries(Object.entries(placeholders).map(([name, value]) => [`{${name}}`, value])),
  };
  const text = readFileSync(new URL(`../../documents/javascript/${name}.js`, import.meta.url), 'utf8');
  return Object.entries(changes).reduce((text, [written, meant]) => text.replaceAll(written, meant), text);
}

/**
 * What is played: scripts that share their names, as those of one page do. `names` are values that the snippets take from
 * their surroundings, `calls` functions that report what they are called with; `before` and `after` are the test's own.
 */
export function scripts(server, { snippets = [], before = '', after = '', token, placeholders = {} }) {
  const texts = snippets.map((name) => snippet(name, server, { token, ...placeholders }));
  return [before, ...texts, after].filter(Boolean);
}
