// The page `/ws/test` for people who do not see it, or not as its author does: on a phone, in the dark, by keyboard, read out.

import assert from 'node:assert/strict';
import { problems } from '../lib/accessible.mjs';
import { PHONE } from '../lib/chatpage.mjs';
import { ANSWER, FAKE_TOKEN } from '../lib/fakechat.mjs';
import { page, Stage } from '../lib/stage.mjs';

const QUESTION = 'What is the engine power?';
const stage = Stage.build();

page('an answer is read out in sentences, and the stream itself is silent', async () => {
  const chat = await stage.open();
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
  const chat = await stage.open('', { viewport: PHONE, hasTouch: true });
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
    const chat = await stage.open('', { colorScheme });
    const good = async (when) => assert.deepEqual(await chat.page.evaluate(problems), [], when);
    await chat.connected();
    await good('at first');
    await chat.signIn('wrong');
    await chat.sees('#token-problem', 'Invalid token.');
    await good('with a wrong token');
    await chat.picture(`sign-in-${colorScheme}`);
    await chat.signIn(FAKE_TOKEN);
    stage.fake.holdAt = 7;
    await chat.ask(QUESTION);
    await chat.sees('#log .answer', /5,500 $/);
    await good('while an answer comes');
    stage.fake.release();
    await chat.answered(ANSWER);
    await chat.press('Session');
    await good('with an answer and the session');
    await chat.picture(`answer-${colorScheme}`);
    stage.fake.forget();
    stage.fake.instead = ({ type }) => type === 'resume';
    stage.fake.cut();
    await chat.sees('#state-text', /Trying again/);
    await chat.ask('Later?');
    await good('without a line');
  });
}

page('what cannot be read or named is found', async () => {
  const chat = await stage.open('');
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
  const chat = await stage.open('');
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
    stage.fake.holdAt = 3;
    const chat = await stage.open(undefined, { reducedMotion });
    await chat.ask(QUESTION);
    await chat.sees('#log .answer', /has $/);
    const animation = await chat.page.evaluate(() => getComputedStyle(document.querySelector('.answer'), '::after').animationName);
    assert.equal(animation, expected);
    stage.fake.release();
  }
});
