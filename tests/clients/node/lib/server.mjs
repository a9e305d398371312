// Starts a real server for the tests of a file, and reads sockets and streams with bounds on every wait.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';

const BINARY = process.env.SERVER_UNDER_TEST ?? fileURLToPath(new URL('../../../../target/debug/millrace', import.meta.url));
export const PATIENCE = 10_000;
let topics = 0;

/** A topic nobody else uses. */
export const newTopic = () => `n${process.pid}.t${++topics}`;

/** Rejects when a promise takes too long. */
export async function soon(promise, what) {
  const timer = new AbortController();
  const late = sleep(PATIENCE, null, { signal: timer.signal }).then(() => { throw new Error(`no ${what} came`); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
    late.catch(() => {});
  }
}

/** Waits until something is so. */
export async function until(happened, what) {
  const deadline = Date.now() + PATIENCE;
  while (!await happened()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(10);
  }
}

export class Server {
  headers = {};

  static async start(config = '', listen = '127.0.0.1:0') {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), 'millrace-'));
    const file = join(server.folder, 'millrace.toml');
    writeFileSync(file, config);
    const flags = ['serve', '--listen', listen, '--log', 'warn', '--config', file];
    server.process = spawn(BINARY, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    server.exit = once(server.process, 'exit');
    const [line] = await soon(once(createInterface({ input: server.process.stdout }), 'line'), 'address');
    server.url = line.replace('listening on ', '');
    return server;
  }

  async stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    const [code] = await soon(this.exit, 'exit').catch(() => [this.process.kill('SIGKILL')]);
    rmSync(this.folder, { recursive: true, force: true });
    return code;
  }

  async publish(topic, ...events) {
    let answer;
    for (const event of events) answer = await this.post(topic, 'application/json', JSON.stringify(event));
    return answer;
  }

  /** Publishes in one request, so that the events come to readers together. */
  publishLines(topic, ...events) {
    return this.post(topic, 'application/x-ndjson', events.map((event) => JSON.stringify(event)).join('\n'));
  }

  async post(topic, type, body) {
    const headers = { 'Content-Type': type, ...this.headers };
    const response = await fetch(`${this.url}/v1/topics/${topic}`, { method: 'POST', headers, body });
    const answer = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  }

  /** Waits until a topic has so many readers: what is published then reaches them. */
  async awaitReaders(topic, count = 1) {
    const readers = async () => {
      const response = await fetch(`${this.url}/v1/topics?prefix=${topic}`, { headers: this.headers });
      const { topics } = await response.json();
      return topics.find((one) => one.topic === topic)?.subscribers ?? 0;
    };
    await until(async () => await readers() === count, `${count} readers of ${topic}`);
  }

  websocket(path, options = {}) {
    return new Socket(new WebSocket(this.url.replace('http', 'ws') + path, options));
  }

  eventSource(path, options = {}) {
    return new Stream(new EventSource(this.url + path, options));
  }
}

/** Messages in the order they come, taken one by one. */
export class Inbox {
  waiting = [];
  takers = [];

  put(message) {
    const taker = this.takers.shift();
    if (taker) taker(message);
    else this.waiting.push(message);
  }

  next() {
    if (this.waiting.length > 0) return Promise.resolve(this.waiting.shift());
    return soon(new Promise((resolve) => this.takers.push(resolve)), 'message');
  }

  async take(count) {
    const messages = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }
}

export class Socket extends Inbox {
  constructor(socket) {
    super();
    this.socket = socket;
    this.opened = once(socket, 'open');
    this.closed = new Promise((resolve) => socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
    this.opened.catch(() => {});
    socket.on('error', () => {});
    socket.on('message', (data, binary) => this.put(binary ? data : JSON.parse(data)));
  }

  async request(message) {
    await soon(this.opened, 'open');
    this.socket.send(JSON.stringify(message));
    return this.next();
  }

  async close() {
    this.socket.close();
    return soon(this.closed, 'close');
  }
}

export class Stream extends Inbox {
  constructor(source) {
    super();
    this.source = source;
    for (const name of ['message', 'subscribed', 'gap', 'close']) {
      source.addEventListener(name, (event) => this.put({ name, id: event.lastEventId, ...JSON.parse(event.data) }));
    }
  }

  close() {
    this.source.close();
  }
}
