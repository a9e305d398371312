// The page `/ws/test` against a chat server that does what each test says.

import assert from 'node:assert/strict';
import { ANSWER, FAKE_TOKEN } from '../lib/fakechat.mjs';
import { until } from '../lib/server.mjs';
import { page, Stage } from '../lib/stage.mjs';

const QUESTION = 'What is the engine power?';
const STEPS = ['Processing your question...', 'Routing to the right expert...', 'Searching knowledge base...', 'Generating response...'];
const stage = Stage.build();

page('a question is answered step by step and word by word, with its sources', async () => {
  stage.fake.holdAt = 5;
  const chat = await stage.open();
  await chat.sees('#sign-in-toggle', 'Ann');
  assert.equal(await chat.page.title(), 'WebSocket Chat Test');
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', 'The engine has 150 kW ');
  assert.deepEqual(await chat.text('#log .steps li'), STEPS);
  assert.deepEqual(await chat.text('#log .steps [aria-current=step]'), STEPS.slice(-1));
  await chat.picture('streaming');
  stage.fake.release();
  await chat.answered(ANSWER);
  assert.deepEqual(await chat.text('#log .question'), [`You${QUESTION}`]);
  assert.deepEqual(await chat.text('#log .agent'), ['specs']);
  assert.deepEqual(await chat.text('#log .confidence'), ['95 % confident']);
  assert.deepEqual(await chat.text('#log .sources li'), ['engine.md', 'specifications.md']);
  assert.equal(await chat.page.locator('#log b').count(), 0, 'markup of an answer is text');
});

page('a token of the address is taken and leaves it', async () => {
  const chat = await stage.open();
  await chat.sees('#sign-in-toggle', 'Ann');
  const url = await chat.page.evaluate(() => location.href);
  assert.ok(!url.includes(FAKE_TOKEN) && /#session=chat-/.test(url), url);
  const history = await chat.page.evaluate(() => navigation.entries().map(({ url }) => url));
  assert.ok(!history.some((entry) => entry.includes(FAKE_TOKEN)), String(history));
});

page('a wrong token is refused in words, and a right one helps', async () => {
  const chat = await stage.open('');
  await chat.connected();
  await chat.signIn('wrong');
  await chat.sees('#token-problem', 'Invalid token.');
  assert.equal(await chat.page.getByLabel('Token', { exact: true }).getAttribute('aria-invalid'), 'true');
  await chat.signIn(FAKE_TOKEN);
  await chat.sees('#sign-in-toggle', 'Ann');
  assert.equal(await chat.page.evaluate(() => document.activeElement.id), 'question');
});

page('a question without a token waits for one', async () => {
  const chat = await stage.open('');
  await chat.connected();
  await chat.ask(QUESTION);
  await chat.sees('#outbox .delivery', /Will be sent once you have signed in/);
  assert.equal(await chat.page.evaluate(() => document.activeElement.id), 'token');
  await chat.signIn(FAKE_TOKEN);
  await chat.answered(ANSWER);
  assert.deepEqual(await chat.text('#outbox li'), []);
});

page('a server without credentials needs no token', async () => {
  stage.fake.isGuarded = false;
  const chat = await stage.open('');
  await chat.ask(QUESTION);
  await chat.answered(ANSWER);
  assert.deepEqual(await chat.text('#log .author'), ['You']);
});

page('a line that is cut in the middle is made again, and no word is missing or said twice', async () => {
  const chat = await stage.open();
  await chat.sees('#sign-in-toggle', 'Ann');
  stage.fake.holdAt = 4;
  await chat.ask(QUESTION);
  for (const hold of [4, 8, 12]) {
    stage.fake.holdAt = hold;
    const tokens = () => stage.fake.session(stage.fake.sent('message')[0].session_id).log.filter(({ type }) => type === 'token').length;
    await until(() => tokens() === hold, `${hold} tokens`);
    stage.fake.cut();
    await chat.sees('#state-text', /The connection broke/);
    await stage.fake.awaitSent('resume', hold / 4);
  }
  stage.fake.release();
  await chat.answered(ANSWER);
  assert.equal(stage.fake.sent('message').length, 1, 'asked once');
});

page('a reload in the middle goes on where it was', async () => {
  stage.fake.holdAt = 7;
  const chat = await stage.open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /5,500 $/);
  await chat.page.reload();
  await chat.sees('#log .answer', /5,500 $/);
  await stage.fake.awaitSent('resume');
  assert.ok(stage.fake.sent('resume')[0].last_sequence >= 10, 'what was read is not read again');
  stage.fake.release();
  await chat.answered(ANSWER);
  await chat.ask('And again?');
  await chat.answered(ANSWER, 1);
  await chat.page.reload();
  await chat.answered(ANSWER, 1);
  assert.deepEqual(await chat.text('#log .author'), ['You', 'You']);
});

page('a second tab joins and sees the same', async () => {
  stage.fake.holdAt = 7;
  const first = await stage.open();
  await first.ask(QUESTION);
  await first.sees('#log .answer', /5,500 $/);
  const id = await first.page.locator('#session-id').textContent();
  const second = await stage.beside(first, `#token=${FAKE_TOKEN}`);
  await second.connected();
  await second.press('Session');
  await second.page.getByLabel('Join another').fill(id);
  await second.page.keyboard.press('Enter');
  await second.sees('#log .answer', /5,500 $/);
  const third = await stage.beside(first, `#token=${FAKE_TOKEN}&session=${id}`);
  stage.fake.release();
  for (const tab of [first, second, third]) await tab.answered(ANSWER);
  await second.ask('And again?');
  for (const tab of [first, second, third]) await tab.answered(ANSWER, 1);
});

page('a question of a lost line is not sent again by itself', async () => {
  const chat = await stage.open();
  await chat.sees('#sign-in-toggle', 'Ann');
  stage.fake.instead = (message) => message.type === 'message';
  await chat.ask(QUESTION);
  await stage.fake.awaitSent('message');
  stage.fake.cut();
  await chat.sees('#outbox .delivery', /broke before the server confirmed this/);
  await chat.connected();
  assert.equal(stage.fake.sent('message').length, 1);
  stage.fake.instead = null;
  await chat.press('Send again');
  await chat.answered(ANSWER);
  assert.equal(stage.fake.sent('message').length, 2);
  assert.deepEqual(await chat.text('#outbox li'), []);
});

page('a question that had arrived after all is found again', async () => {
  const chat = await stage.open();
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.ask('One');
  await chat.answered(ANSWER);
  stage.fake.instead = (message, client) => {
    if (message.type !== 'message') return false;
    // It arrives, and the line breaks before anybody is told.
    stage.fake.session(message.session_id).readers.clear();
    stage.fake.serve(message, { ...client, send: () => {} });
    stage.fake.cut();
    return true;
  };
  await chat.ask(QUESTION);
  await chat.answered(ANSWER, 1);
  assert.equal(stage.fake.sent('message').length, 2);
  assert.deepEqual(await chat.text('#outbox li'), []);
});

page('a question written while the line is down is sent once it is back', async () => {
  const chat = await stage.open();
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.context.setOffline(true);
  stage.fake.cut();
  await chat.sees('#state-text', /Trying again/);
  await chat.ask(QUESTION);
  await chat.sees('#outbox .delivery', /Will be sent once the connection is back/);
  await chat.picture('offline');
  await chat.context.setOffline(false);
  await chat.answered(ANSWER);
  assert.equal(stage.fake.sent('message').length, 1);
});

page('a server that forgot everything is noticed, and the session goes on anew', async () => {
  stage.fake.holdAt = 5;
  const chat = await stage.open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /kW $/);
  stage.fake.forget();
  stage.fake.cut();
  await chat.sees('#log .note', /no longer knows this session/);
  await chat.sees('#log .failure', /cut off/);
  stage.fake.release();
  await chat.ask(QUESTION);
  await chat.answered(ANSWER, 1);
});

page('a server that has begun anew with less is noticed too', async () => {
  stage.fake.holdAt = 5;
  const chat = await stage.open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /kW $/);
  const { session_id: id } = stage.fake.sent('message')[0];
  stage.fake.forget();
  stage.fake.tell(stage.fake.session(id), { type: 'progress', step: 'starting', message: STEPS[0], question: 'Elsewhere', user: { id: 'bob', name: 'Bob' } }, true);
  stage.fake.tell(stage.fake.session(id), { type: 'token', token: 'New.' }, true);
  stage.fake.cut();
  await chat.sees('#log .failure', /restarted/);
  await chat.sees('#log .note', /no longer kept/);
  await chat.sees('#log .answer', 'New.');
  assert.deepEqual(await chat.text('#log .author'), ['You', 'Bob']);
});

page('a gap is shown', async () => {
  stage.fake.holdAt = 5;
  const chat = await stage.open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /kW $/);
  const { session_id: id } = stage.fake.sent('message')[0];
  stage.fake.cut();
  stage.fake.holdAt = 12;
  await until(() => stage.fake.session(id).log.length === 4 + 12, 'tokens nobody reads');
  stage.fake.trim(id, 2);
  await chat.sees('#log .note', /no longer kept on the server and is missing here/);
  stage.fake.release();
  await chat.answered(ANSWER);
});

page('an answer is cancelled', async () => {
  stage.fake.holdAt = 5;
  const chat = await stage.open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /kW $/);
  await chat.press('Cancel answer');
  await chat.sees('#log .failure', 'Cancelled.');
  assert.ok(!await chat.page.locator('#cancel').isVisible());
  assert.equal(await chat.page.evaluate(() => document.activeElement.id), 'question');
  stage.fake.release();
  await chat.ask(QUESTION);
  await chat.answered(ANSWER, 1);
});

page('errors are told in words, of an answer as of a question', async () => {
  const chat = await stage.open();
  stage.fake.instead = (message, client) => {
    if (message.type !== 'message') return false;
    if (message.message === 'too long') {
      client.send({ type: 'error', error: 'Too many requests', code: 'RATE_LIMITED', retry_after: 7, session_id: message.session_id });
      return true;
    }
    const session = stage.fake.session(message.session_id);
    session.readers.add(client);
    stage.fake.tell(session, { type: 'progress', step: 'starting', message: STEPS[0], question: message.message, user: { id: 'ann', name: 'Ann' } }, true);
    stage.fake.tell(session, { type: 'error', error: 'The model does not answer', code: 'PROCESSING_ERROR', reason: 'TIMEOUT' }, true);
    return true;
  };
  await chat.ask(QUESTION);
  await chat.sees('#log .failure', /The model does not answer/);
  await chat.sees('#log .failure code', 'TIMEOUT');
  await chat.ask('too long');
  await chat.sees('#log .note', /“too long” was not taken: Too many requests\. Try again in 7 s\./);
  assert.deepEqual(await chat.text('#outbox li'), []);
  await chat.picture('errors');
});

page('a room shows who asks and who types', async () => {
  const chat = await stage.open(`#token=${FAKE_TOKEN}&session=room:garage`);
  await chat.sees('#log .note', 'Nothing has been asked here yet.');
  await chat.ask(QUESTION);
  await chat.answered(ANSWER);
  const room = stage.fake.session('room:garage');
  stage.fake.tell(room, { type: 'typing', user: { id: 'bob', name: 'Bob' }, typing: true });
  await chat.sees('#typing', 'Bob is typing…');
  stage.fake.tell(room, { type: 'typing', user: { id: 'bob', name: 'Bob' }, typing: false });
  await chat.sees('#typing', '');
  void stage.fake.turn(room, 'And the torque?', { id: 'bob', name: 'Bob' });
  await chat.answered(ANSWER, 1);
  assert.deepEqual(await chat.text('#log .author'), ['You', 'Bob']);
  await chat.page.getByRole('textbox', { name: 'Question' }).pressSequentially('Hm');
  await stage.fake.awaitSent('typing');
});

page('two thousand tokens stay smooth', async () => {
  stage.fake.answer = Array.from({ length: 2_000 }, (_, i) => `word${i}${i % 12 === 11 ? '.' : ''}`).join(' ');
  const chat = await stage.open();
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.page.evaluate(() => {
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
    }).observe({ entryTypes: ['longtask'] });
  });
  await chat.ask(QUESTION);
  await chat.answered(stage.fake.answer);
  const longest = await chat.page.evaluate(() => globalThis.longest);
  assert.ok(longest < 500, `a task took ${longest} ms`);
});
