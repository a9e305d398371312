// Plays snippets in pages of a real Chromium. The pages come from a server of their own, so every request of theirs to the
// server under test is one from another origin.

import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { chromium } from 'playwright-core';
import { Inbox } from './server.mjs';
import { scripts } from './documents.mjs';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const missing = existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM}`;
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export class Browser {
  pages = [];
  contexts = [];

  static async start() {
    const browser = new Browser();
    browser.chromium = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
    browser.server = createServer((request, response) => browser.serve(request, response)).listen(0, '127.0.0.1');
    await once(browser.server, 'listening');
    browser.origin = `http://127.0.0.1:${browser.server.address().port}`;
    return browser;
  }

  serve({ url }, response) {
    const page = this.pages[Number(url.slice(1))];
    response.writeHead(page ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
  }

  /**
   * Opens a page with these scripts; what it writes to its console is taken line by line. With `own` it is one of the
   * server's own origin, as behind a proxy that serves both.
   */
  async play(server, { names = {}, calls = [], own = false, ...play }) {
    const number = this.pages.push(html(names, calls, scripts(server, play))) - 1;
    const context = await this.chromium.newContext();
    this.contexts.push(context);
    const url = `${own ? server.url : this.origin}/${number}`;
    if (own) await context.route(url, (route) => route.fulfill({ contentType: 'text/html', body: this.pages[number] }));
    return new Page(await context.newPage()).open(url);
  }

  /** Closes the pages of one story. */
  async clear() {
    while (this.contexts.length > 0) await this.contexts.pop().close();
  }

  async stop() {
    await this.chromium.close();
    this.server.closeAllConnections();
    this.server.close();
  }
}

class Page extends Inbox {
  order = Promise.resolve();

  constructor(page) {
    super();
    this.page = page;
    page.on('console', (message) => {
      const values = Promise.all(message.args().map((value) => value.jsonValue().catch(() => null)));
      this.order = this.order.then(async () => this.line(message, await values));
    });
    page.on('pageerror', (error) => this.put(['uncaught', String(error)]));
  }

  line(message, values) {
    // Chromium reports failed requests there too; those have no values.
    if (message.type() === 'debug') this.put(['call', ...values]);
    else if (values.length > 0) this.put([message.type(), ...values]);
  }

  async open(url) {
    await this.page.goto(url);
    return this;
  }

  evaluate(script) {
    return this.page.evaluate(script);
  }

  /** What a person reads in the list that calls are shown in. */
  shown() {
    return this.page.locator('#calls li').allTextContents();
  }

  async close() {
    await this.page.close();
  }
}

/** Calls are shown in the page, besides being reported. */
function html(names, calls, texts) {
  const values = Object.entries(names).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
  const functions = calls.map((name) => `function ${name}(...values) {
    console.debug('${name}', ...values);
    const item = document.createElement('li');
    item.textContent = '${name} ' + JSON.stringify(values);
    document.getElementById('calls').append(item);
  }`);
  const all = [[...values, ...functions].join('\n'), ...texts].map((text) => `<script>\n${text}\n</script>`);
  return `<!doctype html><title>Millrace</title><h1>Millrace</h1><ul id="calls"></ul>\n${all.join('\n')}`;
}
