// Puts the page together: connection → session → conversation → view, and back from what people do.

import { Announcer } from './announcer.js';
import { Composer } from './composer.js';
import { Connection } from './connection.js';
import { Conversation } from './conversation.js';
import { element, find } from './dom.js';
import { Outbox } from './outbox.js';
import { Panel } from './panel.js';
import { Place, fromFragment, newSessionId, problemOf } from './place.js';
import { DOWN, SETTLED, SIGNING_IN, Session } from './session.js';
import { OthersTyping, OwnTyping } from './typing.js';
import { View } from './view.js';

const ANNOUNCEMENTS_SHOWN = 3;
const TICK_MS = 1_000;

const place = new Place(sessionStorage);
const saved = place.load();
const asked = takeFragment();

const view = new View();
const conversation = new Conversation();
const outbox = new Outbox();
const announcer = new Announcer(speak);
const [own, others] = [new OwnTyping(), new OthersTyping()];

const isSaved = saved.id !== undefined && (asked.session === undefined || asked.session === saved.id);
const session = new Session({
  id: isSaved ? saved.id : asked.session ?? newSessionId(),
  token: asked.token ?? saved.token,
  outbox,
  conversation,
  tell: {
    send: (message) => connection.send(message),
    changes: shown,
    standing: standingChanged,
    outbox: () => { outboxChanged(); save(); },
    session: sessionChanged,
    typing: (message) => { others.heard(message, performance.now()); showTyping(); },
  },
});
// A session that an address names may be there already, and one of our own making cannot be.
session.isKnown = isSaved ? Boolean(saved.isKnown) : asked.session !== undefined;

const panel = new Panel({
  retry: () => connection.retryNow(),
  signIn: (token) => { session.signIn(token); save(); },
  signOut,
  join: (id) => { session.switchTo(id, true); composer.focus(); },
  begin: () => { session.switchTo(newSessionId(), false); composer.focus(); },
  address: () => location.href,
  said: (text) => announcer.say(text),
});

const composer = new Composer({
  ask,
  cancel: () => { session.cancel(); announcer.say('Cancelling.'); },
  wrote: (text) => tellTyping(own.changed(text, performance.now())),
});

const connection = new Connection(chatUrl(), { state: lineChanged, message: (message) => session.received(message) });
let line = { name: 'connecting' };

start();

function start() {
  if (isSaved) restore();
  sessionChanged(false);
  standingChanged();
  outboxChanged();
  addEventListener('hashchange', fragmentChanged);
  addEventListener('online', () => connection.retryNow());
  addEventListener('pagehide', save);
  addEventListener('visibilitychange', save);
  setInterval(tick, TICK_MS);
  connection.start();
  // Where a finger points, a focus opens a keyboard over half of the page.
  if (matchMedia('(pointer: fine)').matches) composer.focus();
}

/** Beside the page's own address, so that it is right behind proxies that put the server under a path. */
function chatUrl() {
  const url = new URL('chat?partial=0', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  return url.href;
}

/** A token does not stay where it could be copied with the address or read over a shoulder. */
function takeFragment() {
  const found = fromFragment(location.hash);
  if (found.token !== undefined) history.replaceState(null, '', `${location.pathname}${location.search}`);
  if (found.session !== undefined && problemOf(found.session)) delete found.session;
  return found;
}

function fragmentChanged() {
  const { token, session: id } = takeFragment();
  if (id !== undefined && id !== session.id) session.switchTo(id, true);
  else showAddress();
  if (token) session.signIn(token);
  save();
}

function showAddress() {
  history.replaceState(null, '', `${location.pathname}${location.search}#session=${session.id}`);
}

function restore() {
  session.sequence = saved.sequence ?? 0;
  shown(conversation.restore(saved.conversation ?? { items: [], left: 0 }), true);
  outbox.restore(saved.outbox ?? []);
}

function save() {
  place.save(session.snapshot());
}

function ask(text) {
  tellTyping(own.stopped());
  view.follow();
  const isTaken = session.ask(text);
  if (!isTaken) announcer.say('Too many questions wait already.');
  return isTaken;
}

function signOut() {
  session.signOut();
  save();
  connection.stop();
  connection.start();
}

function sessionChanged(isNew = true) {
  if (isNew) view.clear();
  announcer.forget();
  panel.session(session.id);
  composer.running(Boolean(conversation.running));
  showAddress();
  save();
}

function standingChanged() {
  panel.signedIn(session.standing === 'in' ? session.user : null);
  if (session.standing === 'refused') panel.askForToken(`${session.refusal}.`);
  if (session.standing === 'wanted') panel.askForToken('This server wants to know who asks.');
  save();
  showLine();
  outboxChanged();
}

/** Carries out what a message has changed. What is only restored is neither announced nor saved. */
function shown(changes, isOld = false) {
  for (const change of changes) {
    view.change(change);
    if (!isOld) ANNOUNCED[change.kind]?.(change);
  }
  composer.running(Boolean(conversation.running));
  if (!isOld && changes.some(({ kind }) => kind === 'ended')) save();
}

const ANNOUNCED = {
  added: ({ item }) => {
    if (item.kind === 'note') announcer.say(item.text);
    else if (!item.mine) announcer.say(`${item.author || 'Somebody'}: ${item.question ?? item.text}`);
  },
  step: ({ step }) => announcer.say(step.text),
  text: ({ text }) => announcer.hear(text),
  replaced: () => announcer.forget(),
  ended: ({ item }) => announcer.say(ending(item)),
};

function ending({ state, failure, agent, sources = [] }) {
  if (state !== 'complete') return failure?.text ?? `The answer was ${state}.`;
  const by = agent ? ` By ${agent}.` : '';
  return `End of the answer.${by}${sources.length > 0 ? ` Sources: ${sources.join(', ')}.` : ''}`;
}

function speak(text) {
  const polite = find('polite');
  polite.append(element('p', {}, text));
  while (polite.childElementCount > ANNOUNCEMENTS_SHOWN) polite.firstElementChild.remove();
}

function lineChanged(state) {
  const wasOpen = line.name === 'open';
  line = { ...state, until: performance.now() + (state.delay ?? 0) };
  if (state.name === 'open') session.opened();
  else if (session.line !== DOWN) session.lost();
  if (state.name === 'waiting' && wasOpen) announcer.say(`${state.reason}. Trying again.`);
  view.paused(conversation.running?.id, state.name !== 'open');
  showLine();
  outboxChanged();
}

function showLine() {
  const seconds = Math.max(1, Math.ceil((line.until - performance.now()) / 1_000));
  if (line.name === 'waiting') return panel.line('waiting', `${line.reason}. Trying again in ${seconds} s.`, true);
  if (line.name !== 'open') return panel.line('connecting', 'Connecting…');
  if (session.line === SIGNING_IN) return panel.line('connecting', 'Signing in…');
  const isOut = session.standing === 'wanted' || session.standing === 'refused';
  return isOut ? panel.line('out', 'Connected, not signed in') : panel.line('open', 'Connected');
}

/** Why questions that were kept have not left. */
function reason() {
  if (session.line === DOWN) return 'Will be sent once the connection is back.';
  if (session.standing === 'wanted' || session.standing === 'refused') return 'Will be sent once you have signed in.';
  return session.line === SETTLED ? 'Waits for the question before it.' : 'Will be sent in a moment.';
}

function outboxChanged() {
  const again = (id) => { outbox.again(id); session.flush(); outboxChanged(); composer.focus(); };
  const discard = (id) => { outbox.remove(id); outboxChanged(); save(); composer.focus(); };
  view.outbox(outbox.items, reason(), again, discard);
}

/** Others are told in rooms only: elsewhere nobody else reads. */
function tellTyping(typing) {
  if (typing !== null && session.id.startsWith('room:')) session.sendTyping(typing);
}

function showTyping() {
  const words = others.words(performance.now());
  if (find('typing').textContent !== words) find('typing').textContent = words;
}

function tick() {
  showTyping();
  if (line.name === 'waiting') showLine();
}
