// The page `/ws/test` against the server itself, which answers from the demo's documents.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Browser, missing } from '../lib/browser.mjs';
import { ChatPage } from '../lib/chatpage.mjs';
import { Server, until } from '../lib/server.mjs';

const SECRET = 'a secret that only this test and its server know';
process.env.CHAT_SECRET = SECRET;
const QUESTION = 'What is the engine power?';
const SLOW = 40;
let browser, server, opened;

/** Slow enough that something can happen in the middle of an answer. */
const config = (words) => `[jwt]\nsecret_env = "CHAT_SECRET"\ndefault_role = "observer"\n[respond]\nwords_per_second = ${words}\n[timing]\ndrain_seconds = 1\n`;

function token(sub, name, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub, name, exp, email: `${sub}@example.com`, ...claims })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

const ANN = token('ann', 'Ann');

before(async () => { browser = missing ? null : await Browser.start(); });
beforeEach(() => { opened = []; });
afterEach(async () => {
  await browser?.clear();
  await server?.stop().finally(() => { server = null; });
  for (const chat of opened) chat.assertGood();
});
after(() => browser?.stop());

const start = async (words = 0, listen) => { server = await Server.start(config(words), listen); };

async function open(fragment = `#token=${ANN}`) {
  const chat = await ChatPage.open(browser, `${server.url}/ws/test${fragment}`);
  opened.push(chat);
  return chat;
}

/** The answer to the question, as one request gets it. */
async function expected() {
  const headers = { Authorization: `Bearer ${ANN}`, 'Content-Type': 'application/json' };
  const body = JSON.stringify({ message: QUESTION, session_id: 'expected' });
  return (await fetch(`${server.url}/api/v1/chat`, { method: 'POST', headers, body })).json();
}

const page = (name, run) => test(name, { skip: missing }, run);

page('the server answers in steps and words, with its sources', async () => {
  await start();
  const { response, metadata } = await expected();
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.ask(QUESTION);
  await chat.answered(response);
  assert.deepEqual(await chat.text('#log .steps li'),
    ['Processing your question...', 'Routing to the right expert...', 'Searching knowledge base...', 'Generating response...']);
  assert.deepEqual(await chat.text('#log .sources li'), metadata.context.sources);
  assert.deepEqual(await chat.text('#log .agent'), [metadata.agent]);
  assert.match(response, /kW/);
  await chat.picture('server');
});

page('a wrong token is told, and a question without one', async () => {
  await start();
  const chat = await open('');
  await chat.ask(QUESTION);
  await chat.sees('#token-problem', 'This server wants to know who asks.');
  await chat.signIn(`${ANN}x`);
  await chat.sees('#token-problem', 'Invalid token.');
  await chat.signIn(ANN);
  await until(async () => (await chat.states())[0] === 'complete', 'the answer');
});

page('a reload in the middle, and a second tab, see the whole answer once', async () => {
  await start(SLOW);
  const [chat, { response }] = await Promise.all([open(), expected()]);
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /(\S+\s+){4}/);
  const id = await chat.page.locator('#session-id').textContent();
  const second = await open(`#token=${ANN}&session=${id}`);
  await chat.page.reload();
  for (const tab of [chat, second]) await tab.answered(response);
  await second.ask(QUESTION);
  for (const tab of [chat, second]) await tab.answered(response, 1);
});

page('an answer is cancelled', async () => {
  await start(SLOW);
  const chat = await open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /\S+ /);
  await chat.press('Cancel answer');
  await chat.sees('#log .failure', 'Cancelled.');
  await chat.ask(QUESTION);
  await until(async () => (await chat.states())[1] === 'running', 'the next one');
});

for (const [signal, words] of [['SIGKILL', /cut off/], ['SIGTERM', /./]]) {
  page(`a server that ends by ${signal} says so, and its successor goes on`, async () => {
    await start(SLOW);
    const chat = await open();
    await chat.ask(QUESTION);
    await chat.sees('#log .answer', /\S+ /);
    const listen = server.url.replace('http://', '');
    await server.stop(signal);
    await chat.sees('#state-text', /Trying again/);
    await start(0, listen);
    await chat.connected();
    await chat.sees('#log .failure', words);
    await chat.sees('#log .note', /no longer knows this session/);
    const { response } = await expected();
    await chat.ask(QUESTION);
    await chat.answered(response, 1);
  });
}

page('people in a room see who asks and who types', async () => {
  await start();
  const grants = { grants: { publish: ['rooms.**'], subscribe: ['rooms.**'] } };
  const ann = await open(`#token=${token('ann', 'Ann', grants)}&session=room:garage`);
  const bob = await open(`#token=${token('bob', 'Bob', grants)}&session=room:garage`);
  for (const chat of [ann, bob]) await chat.connected();
  await ann.ask(QUESTION);
  for (const chat of [ann, bob]) await until(async () => (await chat.states())[0] === 'complete', 'the answer');
  assert.deepEqual([await ann.text('#log .author'), await bob.text('#log .author')], [['You'], ['Ann']]);
  await bob.page.getByRole('textbox', { name: 'Question' }).pressSequentially('Hm');
  await ann.sees('#typing', 'Bob is typing…');
});

page('a server without credentials needs no token, and takes any', async () => {
  server = await Server.start();
  for (const fragment of ['', '#token=anything']) {
    const chat = await open(fragment);
    await chat.ask(QUESTION);
    await until(async () => (await chat.states())[0] === 'complete', 'the answer');
  }
});
