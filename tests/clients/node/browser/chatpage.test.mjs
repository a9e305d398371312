// The page `/ws/test` against a chat server that does what each test says.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { problems } from '../lib/accessible.mjs';
import { Browser, missing } from '../lib/browser.mjs';
import { ChatPage, PHONE } from '../lib/chatpage.mjs';
import { ANSWER, FAKE_TOKEN, FakeChat } from '../lib/fakechat.mjs';
import { Server, until } from '../lib/server.mjs';

const QUESTION = 'What is the engine power?';
const STEPS = ['Processing your question...', 'Routing to the right expert...', 'Searching knowledge base...', 'Generating response...'];
let browser, server, fake, opened;

before(async () => {
  browser = missing ? null : await Browser.start();
  server = await Server.start();
});
beforeEach(async () => {
  fake = await FakeChat.start(server.url);
  opened = [];
});
afterEach(async () => {
  await browser?.clear();
  await fake.stop();
  for (const chat of opened) chat.assertGood();
});
after(async () => {
  await browser?.stop();
  await server.stop();
});

const address = (fragment = `#token=${FAKE_TOKEN}`) => `${fake.url}/ws/test${fragment}`;

async function open(fragment, how) {
  const chat = await ChatPage.open(browser, address(fragment), how);
  opened.push(chat);
  return chat;
}

async function secondTab(chat, fragment) {
  const tab = await ChatPage.tab(chat.context, address(fragment));
  opened.push(tab);
  return tab;
}

const page = (name, run) => test(name, { skip: missing }, run);

page('a question is answered step by step and word by word, with its sources', async () => {
  fake.holdAt = 5;
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  assert.equal(await chat.page.title(), 'WebSocket Chat Test');
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', 'The engine has 150 kW ');
  assert.deepEqual(await chat.text('#log .steps li'), STEPS);
  assert.deepEqual(await chat.text('#log .steps [aria-current=step]'), STEPS.slice(-1));
  await chat.picture('streaming');
  fake.release();
  await chat.answered(ANSWER);
  assert.deepEqual(await chat.text('#log .question'), [`You${QUESTION}`]);
  assert.deepEqual(await chat.text('#log .agent'), ['specs']);
  assert.deepEqual(await chat.text('#log .confidence'), ['95 % confident']);
  assert.deepEqual(await chat.text('#log .sources li'), ['engine.md', 'specifications.md']);
  assert.equal(await chat.page.locator('#log b').count(), 0, 'markup of an answer is text');
});

page('a token of the address is taken and leaves it', async () => {
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  const url = await chat.page.evaluate(() => location.href);
  assert.ok(!url.includes(FAKE_TOKEN) && /#session=chat-/.test(url), url);
  const history = await chat.page.evaluate(() => navigation.entries().map(({ url }) => url));
  assert.ok(!history.some((entry) => entry.includes(FAKE_TOKEN)), String(history));
});

page('a wrong token is refused in words, and a right one helps', async () => {
  const chat = await open('');
  await chat.connected();
  await chat.signIn('wrong');
  await chat.sees('#token-problem', 'Invalid token.');
  assert.equal(await chat.page.getByLabel('Token', { exact: true }).getAttribute('aria-invalid'), 'true');
  await chat.signIn(FAKE_TOKEN);
  await chat.sees('#sign-in-toggle', 'Ann');
  assert.equal(await chat.page.evaluate(() => document.activeElement.id), 'question');
});

page('a question without a token waits for one', async () => {
  const chat = await open('');
  await chat.connected();
  await chat.ask(QUESTION);
  await chat.sees('#outbox .delivery', /Will be sent once you have signed in/);
  assert.equal(await chat.page.evaluate(() => document.activeElement.id), 'token');
  await chat.signIn(FAKE_TOKEN);
  await chat.answered(ANSWER);
  assert.deepEqual(await chat.text('#outbox li'), []);
});

page('a server without credentials needs no token', async () => {
  fake.isGuarded = false;
  const chat = await open('');
  await chat.ask(QUESTION);
  await chat.answered(ANSWER);
  assert.deepEqual(await chat.text('#log .author'), ['You']);
});

page('a line that is cut in the middle is made again, and no word is missing or said twice', async () => {
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  fake.holdAt = 4;
  await chat.ask(QUESTION);
  for (const hold of [4, 8, 12]) {
    fake.holdAt = hold;
    const tokens = () => fake.session(fake.sent('message')[0].session_id).log.filter(({ type }) => type === 'token').length;
    await until(() => tokens() === hold, `${hold} tokens`);
    fake.cut();
    await chat.sees('#state-text', /The connection broke/);
    await fake.awaitSent('resume', hold / 4);
  }
  fake.release();
  await chat.answered(ANSWER);
  assert.equal(fake.sent('message').length, 1, 'asked once');
});

page('a reload in the middle goes on where it was', async () => {
  fake.holdAt = 7;
  const chat = await open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /5,500 $/);
  await chat.page.reload();
  await chat.sees('#log .answer', /5,500 $/);
  await fake.awaitSent('resume');
  assert.ok(fake.sent('resume')[0].last_sequence >= 10, 'what was read is not read again');
  fake.release();
  await chat.answered(ANSWER);
  await chat.ask('And again?');
  await chat.answered(ANSWER, 1);
  await chat.page.reload();
  await chat.answered(ANSWER, 1);
  assert.deepEqual(await chat.text('#log .author'), ['You', 'You']);
});

page('a second tab joins and sees the same', async () => {
  fake.holdAt = 7;
  const first = await open();
  await first.ask(QUESTION);
  await first.sees('#log .answer', /5,500 $/);
  const id = await first.page.locator('#session-id').textContent();
  const second = await secondTab(first, `#token=${FAKE_TOKEN}`);
  await second.connected();
  await second.press('Session');
  await second.page.getByLabel('Join another').fill(id);
  await second.page.keyboard.press('Enter');
  await second.sees('#log .answer', /5,500 $/);
  const third = await secondTab(first, `#token=${FAKE_TOKEN}&session=${id}`);
  fake.release();
  for (const tab of [first, second, third]) await tab.answered(ANSWER);
  await second.ask('And again?');
  for (const tab of [first, second, third]) await tab.answered(ANSWER, 1);
});

page('a question of a lost line is not sent again by itself', async () => {
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  fake.instead = (message) => message.type === 'message';
  await chat.ask(QUESTION);
  await fake.awaitSent('message');
  fake.cut();
  await chat.sees('#outbox .delivery', /broke before the server confirmed this/);
  await chat.connected();
  assert.equal(fake.sent('message').length, 1);
  fake.instead = null;
  await chat.press('Send again');
  await chat.answered(ANSWER);
  assert.equal(fake.sent('message').length, 2);
  assert.deepEqual(await chat.text('#outbox li'), []);
});

page('a question that had arrived after all is found again', async () => {
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.ask('One');
  await chat.answered(ANSWER);
  fake.instead = (message, client) => {
    if (message.type !== 'message') return false;
    // It arrives, and the line breaks before anybody is told.
    fake.session(message.session_id).readers.clear();
    fake.serve(message, { ...client, send: () => {} });
    fake.cut();
    return true;
  };
  await chat.ask(QUESTION);
  await chat.answered(ANSWER, 1);
  assert.equal(fake.sent('message').length, 2);
  assert.deepEqual(await chat.text('#outbox li'), []);
});

page('a question written while the line is down is sent once it is back', async () => {
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.context.setOffline(true);
  fake.cut();
  await chat.sees('#state-text', /Trying again/);
  await chat.ask(QUESTION);
  await chat.sees('#outbox .delivery', /Will be sent once the connection is back/);
  await chat.picture('offline');
  await chat.context.setOffline(false);
  await chat.answered(ANSWER);
  assert.equal(fake.sent('message').length, 1);
});

page('a server that forgot everything is noticed, and the session goes on anew', async () => {
  fake.holdAt = 5;
  const chat = await open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /kW $/);
  fake.forget();
  fake.cut();
  await chat.sees('#log .note', /no longer knows this session/);
  await chat.sees('#log .failure', /cut off/);
  fake.release();
  await chat.ask(QUESTION);
  await chat.answered(ANSWER, 1);
});

page('a server that has begun anew with less is noticed too', async () => {
  fake.holdAt = 5;
  const chat = await open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /kW $/);
  const { session_id: id } = fake.sent('message')[0];
  fake.forget();
  fake.tell(fake.session(id), { type: 'progress', step: 'starting', message: STEPS[0], question: 'Elsewhere', user: { id: 'bob', name: 'Bob' } }, true);
  fake.tell(fake.session(id), { type: 'token', token: 'New.' }, true);
  fake.cut();
  await chat.sees('#log .failure', /restarted/);
  await chat.sees('#log .note', /no longer kept/);
  await chat.sees('#log .answer', 'New.');
  assert.deepEqual(await chat.text('#log .author'), ['You', 'Bob']);
});

page('a gap is shown', async () => {
  fake.holdAt = 5;
  const chat = await open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /kW $/);
  const { session_id: id } = fake.sent('message')[0];
  fake.cut();
  fake.holdAt = 12;
  await until(() => fake.session(id).log.length === 4 + 12, 'tokens nobody reads');
  fake.trim(id, 2);
  await chat.sees('#log .note', /no longer kept on the server and is missing here/);
  fake.release();
  await chat.answered(ANSWER);
});

page('an answer is cancelled', async () => {
  fake.holdAt = 5;
  const chat = await open();
  await chat.ask(QUESTION);
  await chat.sees('#log .answer', /kW $/);
  await chat.press('Cancel answer');
  await chat.sees('#log .failure', 'Cancelled.');
  assert.ok(!await chat.page.locator('#cancel').isVisible());
  assert.equal(await chat.page.evaluate(() => document.activeElement.id), 'question');
  fake.release();
  await chat.ask(QUESTION);
  await chat.answered(ANSWER, 1);
});

page('errors are told in words, of an answer as of a question', async () => {
  const chat = await open();
  fake.instead = (message, client) => {
    if (message.type !== 'message') return false;
    if (message.message === 'too long') {
      client.send({ type: 'error', error: 'Too many requests', code: 'RATE_LIMITED', retry_after: 7, session_id: message.session_id });
      return true;
    }
    const session = fake.session(message.session_id);
    session.readers.add(client);
    fake.tell(session, { type: 'progress', step: 'starting', message: STEPS[0], question: message.message, user: { id: 'ann', name: 'Ann' } }, true);
    fake.tell(session, { type: 'error', error: 'The model does not answer', code: 'PROCESSING_ERROR', reason: 'TIMEOUT' }, true);
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
  const chat = await open(`#token=${FAKE_TOKEN}&session=room:garage`);
  await chat.sees('#log .note', 'Nothing has been asked here yet.');
  await chat.ask(QUESTION);
  await chat.answered(ANSWER);
  const room = fake.session('room:garage');
  fake.tell(room, { type: 'typing', user: { id: 'bob', name: 'Bob' }, typing: true });
  await chat.sees('#typing', 'Bob is typing…');
  fake.tell(room, { type: 'typing', user: { id: 'bob', name: 'Bob' }, typing: false });
  await chat.sees('#typing', '');
  void fake.turn(room, 'And the torque?', { id: 'bob', name: 'Bob' });
  await chat.answered(ANSWER, 1);
  assert.deepEqual(await chat.text('#log .author'), ['You', 'Bob']);
  await chat.page.getByRole('textbox', { name: 'Question' }).pressSequentially('Hm');
  await fake.awaitSent('typing');
});

page('two thousand tokens stay smooth', async () => {
  fake.answer = Array.from({ length: 2_000 }, (_, i) => `word${i}${i % 12 === 11 ? '.' : ''}`).join(' ');
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.page.evaluate(() => {
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
    }).observe({ entryTypes: ['longtask'] });
  });
  await chat.ask(QUESTION);
  await chat.answered(fake.answer);
  const longest = await chat.page.evaluate(() => globalThis.longest);
  assert.ok(longest < 500, `a task took ${longest} ms`);
});

page('an answer is read out in sentences, and the stream itself is silent', async () => {
  const chat = await open();
  await chat.sees('#sign-in-toggle', 'Ann');
  await chat.page.evaluate(() => {
    globalThis.read = [];
    new MutationObserver((records) => {
      for (const record of records) for (const node of record.addedNodes) globalThis.read.push(node.textContent);
    }).observe(document.getElementById('polite'), { childList: true });
  });
  await chat.ask(QUESTION);
  await chat.answered(ANSWER);
  const read = await chat.page.evaluate(() => globalThis.read);
  assert.ok(read.length <= 7, `${read.length} announcements`);
  assert.ok(read.join(' ').includes('Its torque is 320 Nm.'), read.join('|'));
  assert.match(read.at(-1), /End of the answer\. By specs\. Sources: engine\.md, specifications\.md\.$/);
  assert.equal(await chat.page.getByRole('log').getAttribute('aria-live'), 'off');
});

page('a phone shows everything without scrolling sideways', async () => {
  const chat = await open('', { viewport: PHONE, hasTouch: true });
  await chat.connected();
  await chat.picture('phone-welcome');
  await chat.ask(`${QUESTION} ${'x'.repeat(200)}`);
  await chat.sees('#outbox .delivery', /signed in/);
  await chat.picture('phone-sign-in');
  await chat.signIn(FAKE_TOKEN);
  await chat.answered(ANSWER);
  await chat.picture('phone');
  await chat.press('Session');
  await chat.picture('phone-session');
  const { scrollWidth, clientWidth } = await chat.page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  assert.ok(scrollWidth <= clientWidth, `${scrollWidth} > ${clientWidth}`);
});

for (const colorScheme of ['light', 'dark']) {
  page(`everything has a name, and can be read, in ${colorScheme} colours`, async () => {
    const chat = await open('', { colorScheme });
    const good = async (when) => assert.deepEqual(await chat.page.evaluate(problems), [], when);
    await chat.connected();
    await good('at first');
    await chat.signIn('wrong');
    await chat.sees('#token-problem', 'Invalid token.');
    await good('with a wrong token');
    await chat.picture(`sign-in-${colorScheme}`);
    await chat.signIn(FAKE_TOKEN);
    fake.holdAt = 7;
    await chat.ask(QUESTION);
    await chat.sees('#log .answer', /5,500 $/);
    await good('while an answer comes');
    fake.release();
    await chat.answered(ANSWER);
    await chat.press('Session');
    await good('with an answer and the session');
    await chat.picture(`answer-${colorScheme}`);
    fake.forget();
    fake.instead = ({ type }) => type === 'resume';
    fake.cut();
    await chat.sees('#state-text', /Trying again/);
    await chat.ask('Later?');
    await good('without a line');
  });
}

page('what cannot be read or named is found', async () => {
  const chat = await open('');
  await chat.connected();
  await chat.page.evaluate(() => {
    document.querySelector('h1').style.color = '#999';
    document.getElementById('send').textContent = '';
    document.getElementById('retry').id = 'send';
  });
  const found = await chat.page.evaluate(problems);
  for (const problem of [/text of h1\. .* has contrast/, /button#send has no name/, /two nodes are called send/]) {
    assert.ok(found.some((one) => problem.test(one)), `${problem}: ${found}`);
  }
});

page('everything can be done by keyboard', async () => {
  const chat = await open('');
  await chat.connected();
  const focused = () => chat.page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  assert.equal(await focused(), 'question');
  await chat.page.locator('.skip').focus();
  const order = [];
  for (let i = 0; i < 7; i++) {
    await chat.page.keyboard.press('Tab');
    order.push(await focused());
  }
  assert.deepEqual(order, ['sign-in-toggle', 'session-toggle', QUESTION,
    'When does the oil have to be changed?', 'Why does the engine not start?', 'question', 'send']);
  await chat.page.locator('#sign-in-toggle').focus();
  await chat.page.keyboard.press('Enter');
  assert.equal(await chat.page.locator('#sign-in-toggle').getAttribute('aria-expanded'), 'true');
  await chat.page.keyboard.press('Tab');
  await chat.page.keyboard.press('Tab');
  assert.equal(await focused(), 'token');
  await chat.page.keyboard.press('Escape');
  assert.equal(await focused(), 'sign-in-toggle');
  assert.equal(await chat.page.locator('#sign-in-toggle').getAttribute('aria-expanded'), 'false');
});

page('motion stops for those who want none', async () => {
  for (const [reducedMotion, expected] of [['reduce', 'none'], ['no-preference', 'breathe']]) {
    fake.holdAt = 3;
    const chat = await open(undefined, { reducedMotion });
    await chat.ask(QUESTION);
    await chat.sees('#log .answer', /has $/);
    const animation = await chat.page.evaluate(() => getComputedStyle(document.querySelector('.answer'), '::after').animationName);
    assert.equal(animation, expected);
    fake.release();
  }
});
