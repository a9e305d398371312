// One WebSocket after another: connects, notices when the line is dead, and connects again. What is said over it is somebody
// else's business, and so is what was lost with a line: nothing is ever sent a second time here.

import { Backoff } from './backoff.js';

const QUIET_MS = 25_000;
const ANSWER_MS = 10_000;
const CONNECT_MS = 15_000;
/** Codes after which the same try would soon fail again: not allowed, or too large. */
const REFUSED = new Set([1002, 1003, 1007, 1008, 1009]);
/** Failures that a refusal counts as. */
const REFUSAL = 4;

const WORDS = new Map([
  [1001, 'The server is going away'],
  [1006, 'The connection broke'],
  [1011, 'The server had a fault'],
  [1012, 'The server is restarting'],
  [1013, 'The server is busy'],
]);

export class Connection {
  socket = null;
  timer = null;
  isStopped = true;
  hasOpened = false;

  /**
   * `tell` has `state({ name, reason, delay })`, with the names `connecting`, `open`, `waiting` and `stopped`, and
   * `message(object)`. `world` is what it takes from its surroundings.
   */
  constructor(url, tell, world = globalThis) {
    this.url = url;
    this.tell = tell;
    this.world = world;
    this.backoff = new Backoff(world.random);
  }

  start() {
    this.isStopped = false;
    this.connect();
  }

  stop() {
    this.isStopped = true;
    this.drop();
    this.tell.state({ name: 'stopped' });
  }

  /** Does not wait any longer. */
  retryNow() {
    if (!this.isStopped && !this.socket) this.connect();
  }

  get isOpen() {
    return this.socket?.readyState === 1;
  }

  /** Whether the message went out. */
  send(message) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  connect() {
    this.drop();
    this.hasOpened = false;
    this.tell.state({ name: 'connecting' });
    const socket = new this.world.WebSocket(this.url);
    this.socket = socket;
    // A socket that was given up has nothing to say.
    const ours = (handle) => (event) => { if (this.socket === socket) handle(event); };
    socket.onopen = ours(() => this.opened());
    socket.onmessage = ours(({ data }) => this.received(data));
    socket.onclose = ours(({ code, reason }) => this.lost(code, reason));
    this.after(CONNECT_MS, () => this.lost(1006, 'The server does not answer'));
  }

  opened() {
    this.hasOpened = true;
    this.tell.state({ name: 'open' });
    this.listen();
  }

  received(data) {
    this.listen();
    const message = parse(data);
    if (!message) return;
    this.backoff.reset();
    this.tell.message(message);
  }

  /** A line on which nothing came for a while is asked for a sign of life; one that gives none is dead. */
  listen() {
    this.after(QUIET_MS, () => {
      this.send({ type: 'ping' });
      this.after(ANSWER_MS, () => this.lost(1006, 'The server no longer answers'));
    });
  }

  lost(code, reason) {
    const said = REFUSED.has(code) && reason ? `The server refused: ${reason}` : '';
    const plain = this.hasOpened ? WORDS.get(code) ?? 'The connection was closed' : 'The server cannot be reached';
    if (REFUSED.has(code)) this.backoff.failures = Math.max(this.backoff.failures, REFUSAL);
    this.drop();
    const delay = this.backoff.next();
    this.tell.state({ name: 'waiting', delay, reason: said || (code === 1006 && reason) || plain });
    if (!this.isStopped) this.after(delay, () => this.connect());
  }

  drop() {
    const { socket } = this;
    this.socket = null;
    this.world.clearTimeout(this.timer);
    socket?.close();
  }

  after(millis, act) {
    this.world.clearTimeout(this.timer);
    this.timer = this.world.setTimeout(act, millis);
  }
}

/** The object that a message is; `null` where it is none. */
function parse(data) {
  try {
    const value = JSON.parse(data);
    return value !== null && typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
