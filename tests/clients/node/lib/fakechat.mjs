// A chat server for the page that does what a test says: the page itself comes from a real server, with the headers it has there;
// what is said over the WebSocket is made up here, by the rules of the `chat` protocol, and can be held, cut, forgotten and refused.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { until } from './server.mjs';

export const FAKE_TOKEN = 'a.token.of-ann';
const ANN = { id: 'ann', email: 'ann@example.com', name: 'Ann' };
const STEPS = [
  ['agent_routing', 'Routing to the right expert...'],
  ['rag_retrieval', 'Searching knowledge base...'],
  ['generating', 'Generating response...'],
];
const METADATA = { agent: 'specs', confidence: 0.95, context: { sources: ['engine.md', 'specifications.md'] } };
export const ANSWER = 'The engine has 150 kW at 5,500 min⁻¹. Its torque is 320 Nm. <b>Not bold</b> & "quoted".\n\nSecond paragraph. 🚗';

const NOT_FOUND = { type: 'error', error: 'there is no such session', code: 'SESSION_NOT_FOUND', reason: 'not_found' };
const reading = (type, { id, turns }, place) => ({ type, session_id: id, status: 'idle', turns, last_sequence: place });

/** Words with the blanks behind them. */
const pieces = (text) => text.match(/\S+\s*/g) ?? [];

export class FakeChat {
  sessions = new Map();
  sockets = new Set();
  /** Everything that pages have sent. */
  heard = [];
  /** What is answered. */
  answer = ANSWER;
  /** Tokens of an answer after which nothing comes until `release()`. */
  holdAt = Infinity;
  /** Whether questions need `auth`. */
  isGuarded = true;
  /** Says something else than usual to a message of a page: a function that gives `true` when it has. */
  instead = null;

  static async start(origin) {
    const fake = new FakeChat();
    fake.origin = origin;
    fake.http = createServer((request, response) => fake.page(request, response));
    fake.websockets = new WebSocketServer({ server: fake.http, path: '/ws/chat' });
    fake.websockets.on('connection', (socket) => fake.accept(socket));
    fake.http.listen(0, '127.0.0.1');
    await once(fake.http, 'listening');
    fake.url = `http://127.0.0.1:${fake.http.address().port}`;
    return fake;
  }

  async page({ url, method }, response) {
    const answer = await fetch(this.origin + url, { method });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  }

  async stop() {
    this.release();
    this.cut();
    this.http.closeAllConnections();
    this.websockets.close();
    this.http.close();
    await once(this.http, 'close');
  }

  /** Breaks all lines, without a close frame. */
  cut() {
    for (const { socket } of this.sockets) socket.terminate();
  }

  release() {
    this.holdAt = Infinity;
  }

  /** Loses all sessions, as a server that restarts. */
  forget() {
    for (const session of this.sessions.values()) session.isOver = true;
    this.sessions.clear();
  }

  /** What pages have sent of one type. */
  sent(type) {
    return this.heard.filter((message) => message.type === type);
  }

  awaitSent(type, count = 1) {
    return until(() => this.sent(type).length >= count, `${count} × ${type}`);
  }

  session(id) {
    if (!this.sessions.has(id)) {
      this.sessions.set(id, { id, log: [], readers: new Set(), tail: Promise.resolve(), first: 1, turns: 0, number: 0 });
    }
    return this.sessions.get(id);
  }

  accept(socket) {
    const client = { socket, user: null, send: (message) => socket.send(JSON.stringify(message)) };
    this.sockets.add(client);
    socket.on('close', () => {
      this.sockets.delete(client);
      for (const { readers } of this.sessions.values()) readers.delete(client);
    });
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      this.heard.push(message);
      if (!this.instead?.(message, client)) this.serve(message, client);
    });
  }

  serve(message, client) {
    const id = message.session_id;
    if (message.type === 'ping') return client.send({ type: 'pong', timestamp: new Date().toISOString() });
    if (message.type === 'auth') return this.authenticate(message, client);
    if (this.isGuarded && !client.user) return client.send({ type: 'error', error: 'Authentication required', code: 'AUTH_REQUIRED' });
    if (message.type === 'message') return this.asked(message, client);
    if (message.type === 'join') return this.join(this.session(id), client);
    if (message.type === 'leave') return this.sessions.get(id)?.readers.delete(client);
    if (!this.sessions.has(id)) return client.send({ ...NOT_FOUND, session_id: id });
    if (message.type === 'resume') return this.resume(this.session(id), message.last_sequence, client);
    if (message.type === 'cancel') return this.cancel(this.session(id), client);
    return undefined;
  }

  authenticate({ token }, client) {
    if (token !== FAKE_TOKEN) return client.send({ type: 'auth_error', message: 'Invalid token' });
    client.user = ANN;
    return client.send({ type: 'auth_success', message: 'Authentication successful', user: ANN });
  }

  join(session, client) {
    session.readers.add(client);
    client.send(reading('joined', session, session.log.length + session.first - 1));
  }

  resume(session, from, client) {
    const newest = session.log.length + session.first - 1;
    const isKept = from <= newest && from >= session.first - 1;
    const place = isKept ? from : session.first - 1;
    if (!isKept) client.send({ type: 'gap', session_id: session.id, missed: from > newest ? null : place - from });
    client.send(reading('resumed', session, place));
    session.readers.add(client);
    for (const message of session.log.slice(place - session.first + 1)) client.send(message);
  }

  asked({ message, session_id: id }, client) {
    const session = this.session(id);
    session.readers.add(client);
    const user = client.user ?? { id: 'anonymous', name: 'anonymous' };
    session.tail = session.tail.then(() => this.turn(session, message, user)).catch(() => {});
  }

  /** Answers a question, as if `user` had asked it. */
  async turn(session, question, { id, name }) {
    const turn = ++session.turns;
    const is = () => !session.isOver && session.turns === turn && session.cancelled !== turn;
    const say = (message) => { if (is()) this.tell(session, message, true); };
    say({ type: 'progress', step: 'starting', message: 'Processing your question...', question, user: { id, name } });
    for (const [step, message] of STEPS) {
      await sleep(5);
      say({ type: 'progress', step, message });
    }
    const answer = this.answer;
    for (const [number, token] of pieces(answer).entries()) {
      await until(() => number < this.holdAt || !is(), 'the end of a hold');
      say({ type: 'token', token });
      if (number % 20 === 0) await sleep(2);
    }
    say({ type: 'complete', response: answer, session_id: session.id, metadata: METADATA });
  }

  cancel(session, client) {
    client.send({ type: 'cancel_success', session_id: session.id });
    if (session.cancelled === session.turns) return;
    session.cancelled = session.turns;
    this.tell(session, { type: 'cancelled', response: '' }, true);
  }

  /** Sends something to all readers of a session; kept, it gets a number. */
  tell(session, message, isKept = false) {
    const whole = { ...message, session_id: session.id };
    if (isKept) {
      whole.sequence = session.log.length + session.first;
      session.log.push(whole);
    }
    for (const reader of session.readers) reader.send(whole);
  }

  /** Keeps only the newest so many messages of a session. */
  trim(id, count) {
    const session = this.session(id);
    const gone = session.log.length - count;
    session.log.splice(0, gone);
    session.first += gone;
  }
}
