// The chat page in a real Chromium, as somebody who uses it sees it. Whatever a page must never do fails the test that did it:
// break its security policy, throw, or ask another host for anything.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PATIENCE, until } from './server.mjs';

const PICTURES = fileURLToPath(new URL('../../../../target/pages/', import.meta.url));
export const DESKTOP = { width: 1100, height: 800 };
export const PHONE = { width: 360, height: 640 };

export class ChatPage {
  wrong = [];

  /** A tab of its own context, which shares nothing with others. */
  static async open(browser, url, how = {}) {
    const context = await browser.chromium.newContext({ viewport: DESKTOP, reducedMotion: 'reduce', ...how });
    browser.contexts.push(context);
    return ChatPage.tab(context, url);
  }

  static async tab(context, url) {
    const chat = new ChatPage();
    chat.context = context;
    chat.page = await context.newPage();
    chat.page.setDefaultTimeout(PATIENCE);
    chat.watch(new URL(url).host);
    await chat.page.goto(url);
    return chat;
  }

  watch(host) {
    const { page, wrong } = this;
    const own = (url) => ['data:', 'about:'].includes(new URL(url).protocol) || new URL(url).host === host;
    page.on('pageerror', (error) => wrong.push(`threw ${error}`));
    page.on('request', (request) => { if (!own(request.url())) wrong.push(`asked ${request.url()}`); });
    page.on('websocket', (socket) => { if (!own(socket.url())) wrong.push(`connected to ${socket.url()}`); });
    page.on('console', (message) => {
      const text = message.text();
      if (/Content Security Policy|Trusted|violat/i.test(text)) wrong.push(text);
    });
  }

  /** To be called when a test is over. */
  assertGood() {
    assert.deepEqual(this.wrong, []);
  }

  text(selector) {
    return this.page.locator(selector).allTextContents();
  }

  /** Waits until something is read. */
  async sees(selector, expected) {
    const is = (text) => (typeof expected === 'string' ? text === expected : expected.test(text));
    let seen;
    const found = async () => {
      seen = await this.text(selector);
      return seen.some(is);
    };
    await until(found, '').catch(() => { throw new Error(`${selector} should say ${expected}, and says ${JSON.stringify(seen)}`); });
  }

  async ask(question) {
    await this.page.getByRole('textbox', { name: 'Question' }).fill(question);
    await this.page.keyboard.press('Enter');
  }

  async signIn(token) {
    const form = this.page.getByLabel('Token', { exact: true });
    if (!await form.isVisible()) await this.page.locator('#sign-in-toggle').click();
    await form.fill(token);
    await this.page.keyboard.press('Enter');
  }

  /** Clicks a button by the name that people know it by. */
  press(name) {
    return this.page.getByRole('button', { name, exact: true }).click();
  }

  connected() {
    return this.sees('#state-text', 'Connected');
  }

  /** The answers in the page, in order. */
  answers() {
    return this.text('#log .answer');
  }

  answered(text, number = 0) {
    return until(async () => {
      const [answers, states] = [await this.answers(), await this.states()];
      return states[number] === 'complete' && answers[number] === text;
    }, 'the whole answer').catch(async (error) => { throw new Error(`${error.message}: ${JSON.stringify(await this.answers())}`); });
  }

  states() {
    return this.page.locator('#log article').evaluateAll((all) => all.map((one) => one.dataset.state));
  }

  /** For people to look at; no test compares it. */
  async picture(name) {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: `${PICTURES}${name}.png` });
  }
}
