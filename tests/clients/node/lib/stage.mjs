// What tests of the chat page begin and end with: a browser, the server that the page comes from, a chat server of each test's own,
// and the tabs that it opens.

import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Browser, missing } from './browser.mjs';
import { ChatPage } from './chatpage.mjs';
import { FAKE_TOKEN, FakeChat } from './fakechat.mjs';
import { Server } from './server.mjs';

export class Stage {
  tabs = [];

  /** Sets it up for the tests of a file. */
  static build() {
    const stage = new Stage();
    before(async () => {
      stage.browser = missing ? null : await Browser.start();
      stage.server = await Server.start();
    });
    beforeEach(async () => {
      stage.fake = await FakeChat.start(stage.server.url);
      stage.tabs = [];
    });
    afterEach(async () => {
      await stage.browser?.clear();
      await stage.fake.stop();
      for (const tab of stage.tabs) tab.assertGood();
    });
    after(async () => {
      await stage.browser?.stop();
      await stage.server.stop();
    });
    return stage;
  }

  address(fragment) {
    return `${this.fake.url}/ws/test${fragment}`;
  }

  async open(fragment = `#token=${FAKE_TOKEN}`, how = {}) {
    const tab = await ChatPage.open(this.browser, this.address(fragment), how);
    this.tabs.push(tab);
    return tab;
  }

  /** One more tab of the same person. */
  async beside(other, fragment) {
    const tab = await ChatPage.tab(other.context, this.address(fragment));
    this.tabs.push(tab);
    return tab;
  }
}

/** A test with a chat server of its own. */
export const page = (name, run) => test(name, { skip: missing }, run);
