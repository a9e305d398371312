// Plays snippets inside Node.js. What they write to the console, and the calls they make, are taken one by one.

import vm from 'node:vm';
import { Inbox } from './server.mjs';
import { scripts } from './documents.mjs';

/** A player whose snippets have this WebSocket. */
export function playerWith(WebSocket) {
  return async (server, play) => {
    const client = new Client(WebSocket, play);
    for (const script of scripts(server, play)) client.evaluate(script);
    return client;
  };
}

class Client extends Inbox {
  timers = new Set();
  sockets = [];
  over = false;

  constructor(WebSocket, { names = {}, calls = [] }) {
    super();
    // As values of this realm; what cannot be copied, such as an event, is said in words.
    const plain = (value) => { try { return structuredClone(value); } catch { return String(value); } };
    const report = (...line) => this.put(line.map(plain));
    const { sockets, timers } = this;
    class Remembered extends WebSocket {
      constructor(...parameters) {
        super(...parameters);
        sockets.push(this);
      }
    }
    const timer = (start) => (...parameters) => {
      if (this.over) return undefined;
      const id = start(...parameters);
      timers.add(id);
      return id;
    };
    const called = calls.map((name) => [name, (...values) => report('call', name, ...values)]);
    const console = { log: (...values) => report('log', ...values), error: (...values) => report('error', ...values) };
    this.context = vm.createContext({
      ...names, ...Object.fromEntries(called), console, WebSocket: Remembered, fetch, TextDecoder,
      setTimeout: timer(setTimeout), setInterval: timer(setInterval),
    });
  }

  async evaluate(script) {
    return vm.runInContext(script, this.context);
  }

  async close() {
    this.over = true;
    for (const id of this.timers) clearTimeout(id);
    for (const socket of this.sockets) socket.close();
  }
}
