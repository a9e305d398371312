// The modules of the chat page that know no page: what they decide, without a browser, a network or a clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from '../lib/chatmodules.mjs';

const { Announcer, wholeSentences } = await load('announcer.js');
const { Backoff } = await load('backoff.js');
const { Connection } = await load('connection.js');
const { Conversation, ITEMS_MOST } = await load('conversation.js');
const { MOST, Outbox } = await load('outbox.js');
const { Place, fromFragment, newSessionId, problemOf } = await load('place.js');
const { Session } = await load('session.js');
const { OthersTyping, OwnTyping } = await load('typing.js');

/** A clock that is set by hand, with sockets that tests speak for. */
class World {
  now = 0;
  timers = new Map();
  sockets = [];
  random = () => 1;

  constructor() {
    const world = this;
    this.WebSocket = class {
      readyState = 0;
      sent = [];
      constructor(url) { this.url = url; world.sockets.push(this); }
      send(text) { this.sent.push(JSON.parse(text)); }
      close() { this.readyState = 3; }
      open() { this.readyState = 1; this.onopen({}); }
      say(message) { this.onmessage({ data: JSON.stringify(message) }); }
      end(code, reason = '') { this.readyState = 3; this.onclose({ code, reason }); }
    };
  }

  setTimeout = (act, millis) => {
    const id = Symbol('timer');
    this.timers.set(id, { at: this.now + millis, act });
    return id;
  };

  clearTimeout = (id) => this.timers.delete(id);

  advance(millis) {
    const end = this.now + millis;
    for (;;) {
      const due = [...this.timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.now = due[1].at;
      due[1].act();
    }
    this.now = end;
  }
}

test('waits double, are spread, and are bounded', () => {
  const [longest, shortest] = [new Backoff(() => 1), new Backoff(() => 0)];
  assert.deepEqual(Array.from({ length: 8 }, () => longest.next()), [500, 1000, 2000, 4000, 8000, 16000, 20000, 20000]);
  assert.deepEqual([shortest.next(), shortest.next()], [250, 500]);
  longest.reset();
  assert.equal(longest.next(), 500);
});

function connected(world) {
  const [states, messages] = [[], []];
  const connection = new Connection('ws://x', { state: (state) => states.push(state), message: (m) => messages.push(m) }, world);
  connection.start();
  return { connection, states, messages };
}

test('a broken line is made again, sooner after one that was useful', () => {
  const world = new World();
  const { states } = connected(world);
  for (const delay of [500, 1000, 2000]) {
    world.sockets.at(-1).end(1006);
    assert.deepEqual(states.at(-1), { name: 'waiting', delay, reason: 'The server cannot be reached' });
    world.advance(delay);
  }
  world.sockets.at(-1).open();
  world.sockets.at(-1).say({ type: 'pong' });
  world.sockets.at(-1).end(1012, 'restarting');
  assert.deepEqual(states.at(-1), { name: 'waiting', delay: 500, reason: 'The server is restarting' });
});

test('a line that is refused is not tried in a hurry', () => {
  const world = new World();
  const { states } = connected(world);
  world.sockets[0].open();
  world.sockets[0].end(1008, 'Connection limit reached');
  assert.deepEqual(states.at(-1), { name: 'waiting', delay: 8000, reason: 'The server refused: Connection limit reached' });
});

test('a line that is silent is asked, and given up when it does not answer', () => {
  const world = new World();
  const { states, messages } = connected(world);
  const [first] = world.sockets;
  first.open();
  world.advance(25_000);
  assert.deepEqual(first.sent, [{ type: 'ping' }]);
  first.say({ type: 'pong' });
  world.advance(34_999);
  assert.equal(states.at(-1).name, 'open');
  world.advance(1);
  assert.deepEqual([states.at(-1).name, first.readyState], ['waiting', 3]);
  first.say({ type: 'token' });
  assert.equal(messages.length, 1, 'a line that was given up has nothing to say');
});

test('what is no object is passed over', () => {
  const world = new World();
  const { messages } = connected(world);
  world.sockets[0].open();
  for (const data of ['', '{', '1', 'null', '"x"']) world.sockets[0].onmessage({ data });
  assert.deepEqual(messages, []);
});

test('one question is under way at a time', () => {
  const outbox = new Outbox();
  outbox.add('a');
  outbox.add('b');
  assert.equal(outbox.next().text, 'a');
  assert.equal(outbox.next(), null);
  assert.ok(outbox.confirm('a') && !outbox.confirm('a'));
  assert.equal(outbox.next().text, 'b');
});

test('a question of a lost line waits for its author', () => {
  const outbox = new Outbox();
  const { id } = outbox.add('a');
  outbox.next();
  outbox.lost();
  assert.equal(outbox.next(), null);
  assert.ok(outbox.again(id));
  assert.equal(outbox.next().text, 'a');
  const copy = new Outbox();
  copy.restore(outbox.snapshot());
  assert.deepEqual([copy.items[0].state, copy.next()], ['unsure', null]);
});

test('no more questions are kept than anybody would write', () => {
  const outbox = new Outbox();
  for (let i = 0; i < MOST; i++) assert.ok(outbox.add(String(i)));
  assert.equal(outbox.add('one more'), null);
});

/** A session with everything it says. */
function session(how = {}) {
  const said = { sent: [], changes: [], typing: [], standing: 0 };
  const tell = {
    send: (message) => said.sent.push(message),
    changes: (list) => said.changes.push(...list),
    standing: () => { said.standing += 1; },
    outbox: () => {},
    session: () => {},
    typing: (message) => said.typing.push(message),
  };
  const conversation = new Conversation();
  const made = new Session({ id: 's', token: 't', outbox: new Outbox(), conversation, tell });
  Object.assign(made, how);
  const hear = (...messages) => { for (const message of messages) made.received({ session_id: 's', ...message }); };
  const take = () => said.sent.splice(0);
  return { made, said, conversation, hear, take };
}

const USER = { id: 'ann', email: '', name: 'Ann' };
const SIGNED_IN = { type: 'auth_success', session_id: undefined, user: USER };
const starting = (sequence, question, user = USER) => ({ type: 'progress', step: 'starting', message: 'P', question, user, sequence });
const token = (sequence, text) => ({ type: 'token', token: text, sequence });
const complete = (sequence, response) =>
  ({ type: 'complete', response, metadata: { agent: 'specs', confidence: 0.5, context: { sources: ['a'] } }, sequence });
const texts = ({ items }) => items.map(({ text, state }) => [text, state]);

test('questions leave once we are signed in, one after another', () => {
  const { made, hear, take } = session();
  made.ask('one');
  made.ask('two');
  made.opened();
  assert.deepEqual(take(), [{ type: 'auth', token: 't' }]);
  hear(SIGNED_IN);
  assert.deepEqual(take(), [{ type: 'message', message: 'one', session_id: 's' }]);
  hear(starting(1, 'one'));
  assert.deepEqual(take(), [{ type: 'message', message: 'two', session_id: 's' }]);
});

test('a line that comes back goes on behind the last event, and nothing is taken twice', () => {
  const { made, conversation, hear, take } = session();
  made.opened();
  hear(SIGNED_IN);
  made.ask('q');
  hear(starting(1, 'q'), token(2, 'a '), token(3, 'b '));
  made.lost();
  take();
  made.opened();
  hear(SIGNED_IN);
  assert.deepEqual(take().at(-1), { type: 'resume', session_id: 's', last_sequence: 3 });
  hear({ type: 'resumed', last_sequence: 3 }, token(2, 'a '), token(3, 'b '), token(4, 'c'), complete(5, 'a b c'));
  assert.deepEqual(texts(conversation), [['a b c', 'complete']]);
  assert.deepEqual(conversation.items[0].sources, ['a']);
});

test('another session is somebody else’s', () => {
  const { conversation, hear } = session();
  hear({ ...token(1, 'x'), session_id: 'other' });
  assert.deepEqual(conversation.items, []);
});

test('a server that begins its numbers anew is understood', () => {
  const { made, conversation, hear } = session({ sequence: 9, isKnown: true, token: null });
  hear(starting(10, 'q'), token(11, 'half'));
  made.lost();
  made.opened();
  hear({ type: 'gap', missed: null }, { type: 'resumed', last_sequence: 0 }, starting(1, 'new'), token(2, 'x'), complete(3, 'x'));
  assert.deepEqual(texts(conversation).filter(([, state]) => state), [['half', 'interrupted'], ['x', 'complete']]);
});

test('a session that is gone is joined anew, and what was under way is over', () => {
  const { made, conversation, hear, take } = session({ isKnown: true, token: null });
  hear(starting(1, 'q'), token(2, 'half'));
  made.opened();
  take();
  hear({ type: 'error', error: 'no such session', code: 'SESSION_NOT_FOUND' });
  assert.deepEqual(take(), [{ type: 'join', session_id: 's' }]);
  assert.equal(conversation.items[0].state, 'interrupted');
  hear({ type: 'joined', last_sequence: 0 }, starting(1, 'again'));
  assert.equal(conversation.running.question, 'again');
});

test('a server that wants to know who asks gets the question afterwards', () => {
  const { made, hear, take } = session({ token: null });
  made.opened();
  made.ask('q');
  take();
  hear({ type: 'error', error: 'Authentication required', code: 'AUTH_REQUIRED', session_id: undefined });
  assert.deepEqual([made.standing, take()], ['wanted', []]);
  made.signIn('t');
  hear(SIGNED_IN);
  assert.deepEqual(take().map(({ type }) => type), ['auth', 'message']);
});

test('a token that is no good is forgotten, one that could not be looked at is not', () => {
  const { made, hear } = session();
  made.opened();
  hear({ type: 'auth_error', message: 'busy', reason: 'unavailable' });
  assert.deepEqual([made.standing, made.token], ['refused', 't']);
  hear({ type: 'auth_error', message: 'Invalid token' });
  assert.deepEqual([made.standing, made.token], ['refused', null]);
});

test('a question that is over before it began leaves the outbox', () => {
  const { made, hear, conversation } = session({ token: null });
  made.opened();
  made.ask('q');
  hear({ type: 'cancelled', response: '', sequence: 1 });
  assert.deepEqual(made.outbox.items, []);
  assert.match(conversation.items[0].text, /cancelled before it was answered: “q”/);
});

test('what the answer says in the end is what counts', () => {
  const { conversation, hear } = session();
  hear(token(7, 'end.'), complete(8, 'Beginning and end.'));
  assert.deepEqual(texts(conversation), [['Beginning and end.', 'complete']]);
  assert.equal(conversation.items[0].question, null);
});

test('what was asked or said can be reworded', () => {
  const { conversation, hear } = session();
  hear(starting(1, 'q'), complete(2, 'a'), { type: 'said', message: 'hi', user: USER, sequence: 3 });
  hear({ type: 'edited', of: 1, message: 'Q', sequence: 4 }, { type: 'deleted', of: 3, sequence: 5 });
  assert.deepEqual([conversation.items[0].question, conversation.items[1].text], ['Q', '(deleted)']);
});

test('unknown messages count, and mean nothing', () => {
  const { made, conversation, hear } = session();
  hear({ type: 'constructor', sequence: 1 }, { type: 'later', sequence: 2 }, { type: 'later' });
  assert.deepEqual([made.sequence, conversation.items], [2, []]);
});

test('a snapshot goes on where it was taken', () => {
  const first = session({ token: null });
  first.hear(starting(1, 'q'), token(2, 'a '));
  const { conversation } = session();
  conversation.restore(JSON.parse(JSON.stringify(first.conversation.snapshot())));
  conversation.apply(token(3, 'b'));
  assert.deepEqual(texts(conversation), [['a b', 'running']]);
});

test('a conversation has an end to what it keeps', () => {
  const conversation = new Conversation();
  for (let i = 0; i <= ITEMS_MOST; i++) conversation.note('x'.repeat(10_000));
  assert.equal(conversation.items.length, ITEMS_MOST);
  const { items, left } = conversation.snapshot();
  assert.ok(items.length < 45 && items.length + left === ITEMS_MOST);
});

test('places are kept where they can be', () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const place = new Place(storage);
  assert.deepEqual(place.load(), {});
  assert.ok(place.save({ id: 's' }));
  assert.deepEqual(place.load(), { id: 's' });
  const full = new Place({ getItem: () => '{', setItem: () => { throw new Error('full'); } });
  assert.deepEqual([full.load(), full.save({})], [{}, false]);
});

test('an address says who and where', () => {
  assert.deepEqual(fromFragment('#token=a.b+c%3D%3D&session=room:x&x=1'), { token: 'a.b+c==', session: 'room:x' });
  assert.deepEqual(fromFragment('#token=%zz'), { token: '%zz' });
  assert.deepEqual(fromFragment(''), {});
  assert.equal(problemOf(newSessionId()), null);
  assert.notEqual(newSessionId(), newSessionId());
  for (const id of ['', 'a b', 'a/b', 'room:', 'x'.repeat(129)]) assert.ok(problemOf(id), id);
});

test('sentences are read out, not tokens', () => {
  const world = new World();
  const spoken = [];
  const announcer = new Announcer((text) => spoken.push(text), world);
  for (const word of 'It has 150.5 kW. That is much. And'.split(/(?= )/)) announcer.hear(word);
  assert.deepEqual(spoken, []);
  world.advance(2_500);
  assert.deepEqual(spoken, ['It has 150.5 kW. That is much.']);
  announcer.say('End.');
  assert.equal(spoken[1], 'And End.');
  assert.equal(wholeSentences('no end yet'), 0);
});

test('typing is told now and then, and forgotten', () => {
  const own = new OwnTyping();
  assert.deepEqual([own.changed('a', 0), own.changed('ab', 1_000), own.changed('abc', 3_000)], [true, null, true]);
  assert.deepEqual([own.changed('', 3_100), own.stopped()], [false, null]);
  const others = new OthersTyping();
  others.heard({ user: { id: 'b', name: 'Bob' }, typing: true }, 0);
  others.heard({ user: { id: 'c' }, typing: true }, 3_000);
  assert.equal(others.words(3_000), 'Bob and c are typing…');
  assert.equal(others.words(7_000), 'c is typing…');
  assert.equal(others.words(10_000), '');
});
