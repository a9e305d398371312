// Blobs with fetch, streamed both ways.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Server, soon, until } from '../lib/server.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

/** An upload that goes on when it is told to, through a stream. */
async function upload(id) {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  const headers = { 'content-type': 'image/png' };
  const answer = fetch(`${server.url}/v1/blobs/${id}`, { method: 'PUT', headers, body: readable, duplex: 'half' });
  answer.catch(() => {});
  return { answer, writer };
}

async function begun(id) {
  await until(async () => (await fetch(`${server.url}/v1/blobs/${id}`, { method: 'HEAD' })).ok, 'the upload to begin');
}

async function readAtLeast(reader, size) {
  const read = [];
  while (read.reduce((sum, piece) => sum + piece.length, 0) < size) {
    read.push((await soon(reader.read(), 'piece')).value);
  }
  return Buffer.concat(read);
}

test('a blob is read while it is uploaded', async () => {
  const [first, second] = [Buffer.alloc(50_000, 'a'), Buffer.alloc(70_000, 'b')];
  const { answer, writer } = await upload('live');
  await writer.write(first);
  await begun('live');
  const reader = (await fetch(`${server.url}/v1/blobs/live`)).body.getReader();
  assert.deepEqual(await readAtLeast(reader, first.length), first);
  await writer.write(second);
  await writer.close();
  assert.deepEqual(await readAtLeast(reader, second.length), second);
  assert.equal((await soon(reader.read(), 'end')).done, true);
  const stored = await (await answer).json();
  assert.equal(stored.sha256, createHash('sha256').update(first).update(second).digest('hex'));
});

test('a broken upload fails its readers', async () => {
  const { writer } = await upload('broken');
  await writer.write(Buffer.from('part'));
  await begun('broken');
  const reader = (await fetch(`${server.url}/v1/blobs/broken`)).body.getReader();
  assert.equal((await readAtLeast(reader, 4)).toString(), 'part');
  await writer.abort(new Error('the uploader gives up')).catch(() => {});
  await assert.rejects(soon(reader.read(), 'end'), TypeError);
  await until(async () => (await fetch(`${server.url}/v1/blobs/broken`)).status === 404, 'the blob to go');
});
