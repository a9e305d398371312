// The snippets of the protocol documents, with host, port and token filled in and nothing else changed.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import ts from 'typescript';
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
    your_key: token,
    'process.env.API_KEY': `'${token}'`,
    'import.meta.env.VITE_API_KEY': `'${token}'`,
    ...Object.fromEntries(Object.entries(placeholders).map(([name, value]) => [`{${name}}`, value])),
  };
  const file = name.includes('.') ? name : `${name}.js`;
  const text = readFileSync(new URL(`../../documents/javascript/${file}`, import.meta.url), 'utf8');
  return Object.entries(changes).reduce((text, [written, meant]) => text.replaceAll(written, meant), text);
}

/** Modules, in TypeScript or not, as one script: what they import comes from `require`, and `inside` has all their names. */
function compiled(texts, inside) {
  const options = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, jsx: ts.JsxEmit.React };
  const { outputText } = ts.transpileModule([...texts, inside].join('\n'), { compilerOptions: options, fileName: 'page.tsx' });
  return `(async (exports) => {\n${outputText}\n})({}).catch((error) => console.error(String(error)));`;
}

/**
 * What is played: scripts that share their names, as those of one page do. `names` are values that the snippets take from
 * their surroundings, `calls` functions that report what they are called with; `before` and `after` are the test's own. `modules`
 * are snippets that import something, or are TypeScript; they share their names with `inside` alone.
 */
export function scripts(server, { snippets = [], modules = [], before = '', inside = '', after = '', token, placeholders = {} }) {
  const text = (name) => snippet(name, server, { token, ...placeholders });
  const compiledModules = modules.length > 0 ? compiled(modules.map(text), inside) : '';
  return [before, ...snippets.map(text), compiledModules, after].filter(Boolean);
}
