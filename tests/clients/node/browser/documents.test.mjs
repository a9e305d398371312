// The JavaScript snippets of the protocol documents in a real Chromium.

import { after, before, test } from 'node:test';
import { Browser, missing } from '../lib/browser.mjs';
import { stories, tell } from '../lib/stories/all.mjs';

let browser;
before(async () => { browser = missing ? null : await Browser.start(); });
after(() => browser?.stop());

for (const [name, start, run] of stories) {
  test(name, { skip: missing }, async () => {
    try {
      await tell(start, run, (...how) => browser.play(...how));
    } finally {
      await browser.clear();
    }
  });
}
