// Document 003: the `analysis` protocol.

import assert from 'node:assert/strict';
import { Server } from '../server.mjs';

const ANALYSIS = 'analysis.analysis-456';
const finding = (number) => ({ event_type: 'agent_finding', data: { category: 'cost', description: `finding ${number}` } });
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

async function analysisResume(server, play) {
  const placeholders = { analysis_id: 'analysis-456' };
  const first = await play(server, { snippets: ['analysis_connect'], placeholders });
  assert.deepEqual(await first.next(), ['log', 'Connected to analysis stream']);
  await server.awaitReaders(ANALYSIS);
  await server.publish(ANALYSIS, ...numbers(1, 42).map(finding));
  const seen = await first.take(42);
  assert.ok(seen.every((line) => line[1] === 'Event: agent_finding'));
  assert.deepEqual(seen.map((line) => line[2].sequence), numbers(1, 42));
  assert.deepEqual(Object.keys(seen[0][2]), ['event_id', 'event_type', 'analysis_id', 'data', 'timestamp', 'sequence']);
  await first.evaluate('ws.close()');
  await server.awaitReaders(ANALYSIS, 0);
  await server.publish(ANALYSIS, ...numbers(43, 47).map(finding));
  const after = "ws.onmessage = (event) => { const data = JSON.parse(event.data); if (data.sequence) console.log(data.sequence); };";
  const second = await play(server, { snippets: ['analysis_resume'], placeholders, after });
  await server.awaitReaders(ANALYSIS);
  await server.publish(ANALYSIS, ...numbers(48, 50).map(finding));
  assert.deepEqual((await second.take(8)).map((line) => line[1]), numbers(43, 50));
}

const unhurried = () => Server.start('[analysis]\nmax_events_per_second = 0\n');

export const stories = [
  ['analysis: connect, and resume behind 42', unhurried, analysisResume],
];
