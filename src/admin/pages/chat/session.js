// The conversation with the server: who we are, which session we look at, how far we have read, and what waits to be asked.
// It is told what comes in, and says what goes out; nothing here waits or knows the page.
//
// A line goes through: open → signed in, where there is a token → attached, where the server may know the session → settled.
// Questions leave once it is settled, one at a time, so that an error that has no number can only be about the last thing said.

/** How far a line is. */
export const DOWN = 'down';
export const SIGNING_IN = 'signing-in';
export const ATTACHING = 'attaching';
export const SETTLED = 'settled';

/** Without a turn that they end, these are about a question that still waited. */
const ENDS = new Set(['cancelled', 'error']);
const GONE = 'The server no longer knows this session: it has restarted, or has let the session go. What it had not yet said is lost.';
const NOTHING_YET = 'Nothing has been asked here yet.';

export class Session {
  line = DOWN;
  /** Nobody has said who we are: `none`; the server wants to know: `wanted`; it did not believe us: `refused`; `in`. */
  standing = 'none';
  user = null;
  sequence = 0;
  /** Whether the server may know the session. */
  isKnown = false;
  /** Whether we may not say anything here. */
  isMute = false;

  /**
   * `tell` has `send(message)`, `changes(list)` for the conversation, `standing()`, `outbox()`, `typing(message)` and `session()`.
   */
  constructor({ id, token, outbox, conversation, tell }) {
    Object.assign(this, { id, token: token ?? null, outbox, conversation, tell });
  }

  opened() {
    if (this.token) {
      this.line = SIGNING_IN;
      this.tell.send({ type: 'auth', token: this.token });
    } else {
      this.attach();
    }
  }

  lost() {
    this.line = DOWN;
    this.outbox.lost();
    this.tell.outbox();
  }

  signIn(token) {
    this.token = token;
    if (this.line !== DOWN) this.opened();
  }

  /** What the server knows of a line cannot be taken back: it is the caller who makes a new one. */
  signOut() {
    Object.assign(this, { token: null, user: null, standing: 'none' });
    this.tell.standing();
  }

  /** Looks at another session; `isKnown` says whether there may be one. Questions that did not leave are dropped and counted. */
  switchTo(id, isKnown) {
    const isUp = this.line === SETTLED || this.line === ATTACHING;
    if (isUp && this.isKnown) this.tell.send({ type: 'leave', session_id: this.id });
    Object.assign(this, { id, isKnown, sequence: 0, isMute: false });
    this.conversation.items = [];
    const dropped = this.outbox.clear();
    this.tell.session();
    this.tell.outbox();
    if (dropped > 0) this.note(`Questions that were not confirmed were dropped: ${dropped}.`, 'warning');
    if (isUp) this.attach();
  }

  /** Whether the question was taken. */
  ask(text) {
    if (!this.outbox.add(text)) return false;
    this.tell.outbox();
    this.flush();
    return true;
  }

  cancel() {
    this.tell.send({ type: 'cancel', session_id: this.id });
  }

  sendTyping(typing) {
    if (this.line === SETTLED && this.isKnown && !this.isMute) this.tell.send({ type: 'typing', session_id: this.id, typing });
  }

  /** Goes on reading where we were. A session of our own making that nobody has asked anything needs no more. */
  attach() {
    this.line = ATTACHING;
    if (this.isKnown) this.tell.send({ type: 'resume', session_id: this.id, last_sequence: this.sequence });
    else this.settled();
  }

  settled() {
    this.line = SETTLED;
    this.flush();
    this.tell.outbox();
  }

  flush() {
    if (this.line !== SETTLED || this.standing === 'wanted' || this.standing === 'refused') return;
    const item = this.outbox.next();
    if (!item) return;
    this.tell.send({ type: 'message', message: item.text, session_id: this.id });
    this.tell.outbox();
  }

  received(message) {
    const about = message.session_id;
    if (about !== undefined && about !== null && about !== this.id) return;
    if (typeof message.sequence === 'number') this.ordered(message);
    else PRIVATE[message.type]?.(this, message);
  }

  /** What everybody who reads the session sees, once. */
  ordered(message) {
    if (message.sequence <= this.sequence) return;
    this.sequence = message.sequence;
    this.isKnown = true;
    const isOurs = this.isOurs(message);
    const isConfirmed = isOurs && this.outbox.confirm(message.question);
    const isOfNone = ENDS.has(message.type) && !this.conversation.running;
    this.tell.changes(this.conversation.apply(message, isOurs));
    if (isOfNone) this.unbegun(message);
    if (!isConfirmed) return;
    this.tell.outbox();
    this.flush();
  }

  /** A question was over before it was begun. */
  unbegun({ type, error }) {
    const item = this.outbox.refused();
    if (!item) return;
    const why = type === 'cancelled' ? 'It was cancelled before it was answered' : `It was not answered, ${error}`;
    this.note(`${why}: “${shortened(item.text)}”`, 'warning');
    this.tell.outbox();
    this.flush();
  }

  isOurs({ user }) {
    return user !== undefined && user !== null && user.id === (this.user?.id ?? 'anonymous');
  }

  /** We read behind `last_sequence` from now on. Where that is less than we had, the server has begun another log. */
  reads({ last_sequence: place }) {
    if (typeof place === 'number' && place < this.sequence) this.startedOver('The server has restarted; the rest of this answer is lost.');
    if (typeof place === 'number') this.sequence = place;
    this.isKnown = true;
    this.settled();
  }

  startedOver(why) {
    this.sequence = 0;
    this.tell.changes(this.conversation.interrupt(why));
  }

  gap() {
    this.note('A part of this conversation is no longer kept on the server and is missing here.', 'warning');
  }

  refused(message) {
    if (message.code === 'AUTH_REQUIRED') return this.authWanted();
    if (this.line === ATTACHING) return this.unattached(message);
    const item = this.outbox.refused();
    this.tell.outbox();
    if (message.code === 'FORBIDDEN') this.isMute = true;
    const words = inWords(message);
    this.note(item ? `“${shortened(item.text)}” was not taken: ${words}` : words, 'error');
    return this.flush();
  }

  authWanted() {
    this.standing = 'wanted';
    this.outbox.keep();
    this.line = SETTLED;
    this.tell.outbox();
    this.tell.standing();
  }

  /** What is not there yet is waited for; why not where that is refused as well. */
  unattached(message) {
    if (message.code !== 'SESSION_NOT_FOUND') {
      this.note(`This session cannot be read: ${inWords(message)}`, 'error');
      return this.settled();
    }
    if (this.sequence > 0) {
      this.startedOver('This answer was cut off.');
      this.note(GONE, 'error');
    } else {
      this.note(NOTHING_YET);
    }
    return this.tell.send({ type: 'join', session_id: this.id });
  }

  signedIn(user) {
    Object.assign(this, { user: user ?? {}, standing: 'in' });
    this.attach();
    this.tell.standing();
  }

  /** A token that is no good is not kept; one that could not be looked at is. */
  notSignedIn({ message, reason }) {
    Object.assign(this, { user: null, standing: 'refused', refusal: message ?? 'Invalid token', line: SETTLED });
    if (!reason) this.token = null;
    this.tell.standing();
  }

  note(text, tone) {
    this.tell.changes(this.conversation.note(text, tone));
  }

  snapshot() {
    const { id, token, sequence, isKnown } = this;
    return { id, token, sequence, isKnown, conversation: this.conversation.snapshot(), outbox: this.outbox.snapshot() };
  }
}

/** Answers meant for this page alone. */
const PRIVATE = {
  __proto__: null,
  auth_success: (session, { user }) => session.signedIn(user),
  auth_error: (session, message) => session.notSignedIn(message),
  resumed: (session, message) => session.reads(message),
  joined: (session, message) => session.reads(message),
  gap: (session) => session.gap(),
  error: (session, message) => session.refused(message),
  typing: (session, message) => session.tell.typing(message),
};

const shortened = (text) => (text.length > 60 ? `${text.slice(0, 57)}…` : text);

/** A refusal as a sentence. */
function inWords({ error, code, retry_after: seconds }) {
  const text = String(error ?? code ?? 'the server refused').replace(/[.\s]+$/, '');
  return seconds ? `${text}. Try again in ${Math.ceil(seconds)} s.` : `${text}.`;
}
