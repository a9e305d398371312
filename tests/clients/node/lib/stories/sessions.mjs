// Document 002: sessions of the `channels` protocol. Who answers is the manual that comes with the server.

import assert from 'node:assert/strict';
import { guarded } from '../documents.mjs';

const QUESTION = 'What is the engine power?';
const quick = () => guarded();
const strict = () => guarded('[sessions]\nquestion_bytes = 3\n');

/** The original's package, as it would be if it asked this server. */
const sdk = (server) => `
class ResonantGenesis {
  constructor({ apiKey }) {
    this.headers = { Authorization: 'Bearer ' + apiKey, 'Content-Type': 'application/json' };
    this.sessions = { executeStream: (asked) => this.execute(asked) };
  }

  async execute({ agentId, goal }) {
    const body = JSON.stringify({ agent_id: agentId, goal, stream: true });
    const answer = await fetch('${server.url}/v1/sessions/execute', { method: 'POST', headers: this.headers, body });
    if (!answer.ok) throw new Error((await answer.json()).error.code);
    return this.chunks(answer.body.getReader());
  }

  async *chunks(reader) {
    const decoder = new TextDecoder();
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += decoder.decode(part.value, { stream: true });
      const lines = text.split('\\n');
      text = lines.pop();
      for (const line of lines.filter((line) => line.startsWith('data: '))) {
        const { session_id: sessionId, ...data } = JSON.parse(line.slice(6));
        if (data.type === 'error') throw new Error(data.code);
        yield { ...data, sessionId };
      }
    }
  }
}
const modules = { '@resonantgenesis/sdk': { ResonantGenesis } };
const require = (name) => modules[name];
const process = { stdout: { write: (text) => console.log(text) } };
`;

/** As much of React as the document's hook and component need: one component, drawn again when its state has changed. */
const REACT = `
const places = [];
let at, isDue = false, draw;
const again = () => {
  if (isDue) return;
  isDue = true;
  setTimeout(() => { isDue = false; at = 0; draw(); }, 0);
};
const useState = (first) => {
  const place = at++;
  if (!(place in places)) places[place] = first;
  const set = (next) => { places[place] = typeof next === 'function' ? next(places[place]) : next; again(); };
  return [places[place], set];
};
const useEffect = (effect, given) => {
  const place = at++, before = places[place];
  if (before && given.every((value, number) => value === before.given[number])) return;
  before?.end?.();
  const now = places[place] = { given };
  Promise.resolve().then(() => { now.end = effect(); });
};
const React = { createElement: (type, members, ...children) => ({ type, ...members, children }) };
const shown = (node) => node?.type
  ? '<' + [node.type, node.className].filter(Boolean).join('.') + '>' + node.children.map(shown).join('') : node || '';
modules.react = { useState, useEffect };
`;

const VUE = 'modules.vue = { ref: (value) => ({ value }), watch: () => {} };';

/** The answer, as whoever asks in another way gets it. */
async function answer(server) {
  const body = JSON.stringify({ agent_id: 'agent_123', goal: QUESTION, stream: false });
  const headers = { ...server.headers, 'Content-Type': 'application/json' };
  const response = await fetch(`${server.url}/v1/sessions/execute`, { method: 'POST', headers, body });
  return (await response.json()).output;
}

async function sdkStream(server, play) {
  const client = await play(server, { own: true, before: sdk(server), modules: ['channels_sdk_stream.js'] });
  let text = '', line;
  while (!(line = (await client.next())[1]).startsWith('\n\nCompleted: ')) text += line;
  assert.ok(text.length > 0);
  assert.match(line, /^\n\nCompleted: sess_.+/);
}

const component = (goal) => `
at = 0;
draw = () => console.log(shown(ChatMessage({ agentId: 'agent_123', goal: ${JSON.stringify(goal)} })));
draw();
`;

function react(server, play, goal) {
  const modules = ['channels_react_hook.ts', 'channels_react_component.tsx'];
  return play(server, { own: true, before: sdk(server) + REACT, modules, inside: component(goal) });
}

async function reactStream(server, play) {
  const [client, wanted] = [await react(server, play, QUESTION), await answer(server)];
  const seen = [];
  while (seen.at(-1) !== `<div.message><p>${wanted}`) seen.push((await client.next())[1]);
  assert.equal(seen[0], '<div.message><p>');
  assert.ok(seen.some((one) => one.endsWith('<span.cursor>▌')), 'it says that it goes on');
}

async function reactError(server, play) {
  const client = await react(server, play, QUESTION);
  let line;
  do line = (await client.next())[1]; while (line.startsWith('<div.message>'));
  assert.equal(line, '<div.error>INVALID_MESSAGE');
}

const composed = `
const agent = useAgentStream('agent_123');
const going = agent.execute(${JSON.stringify(QUESTION)});
console.log(agent.isStreaming.value);
await going;
console.log(agent.content.value);
console.log(agent.isStreaming.value);
console.log(agent.error.value === null ? 'well' : agent.error.value.message);
`;

async function vue(server, play) {
  const how = { own: true, before: sdk(server) + VUE, modules: ['channels_vue.ts'], inside: composed };
  return (await (await play(server, how)).take(4)).map((line) => line[1]);
}

async function vueStream(server, play) {
  assert.deepEqual(await vue(server, play), [true, await answer(server), false, 'well']);
}

async function vueError(server, play) {
  assert.deepEqual(await vue(server, play), [true, '', false, 'INVALID_MESSAGE']);
}

export const stories = [
  ['sessions: the SDK streams an answer', quick, sdkStream],
  ['sessions: a React component shows an answer as it comes', quick, reactStream],
  ['sessions: a React component shows an error', strict, reactError],
  ['sessions: a Vue composable collects an answer', quick, vueStream],
  ['sessions: a Vue composable keeps an error', strict, vueError],
];
