// Questions that the server has not confirmed. One at a time is under way, so that an answer that says no can only mean that one.
// A question whose line broke before it was confirmed may have arrived: nobody sends it again but its author.

/** What is known of a question. */
export const KEPT = 'kept';
export const SENT = 'sent';
export const UNSURE = 'unsure';

/** Questions kept at a time. */
export const MOST = 20;

export class Outbox {
  items = [];
  last = 0;

  /** Takes a question; `null` when too many wait already. */
  add(text) {
    if (this.items.length >= MOST) return null;
    const item = { id: ++this.last, text, state: KEPT };
    this.items.push(item);
    return item;
  }

  /** The question to send now, which counts as sent from here on. */
  next() {
    if (this.items.some(({ state }) => state === SENT)) return null;
    const item = this.items.find(({ state }) => state === KEPT) ?? null;
    if (item) item.state = SENT;
    return item;
  }

  /** The line broke. */
  lost() {
    for (const item of this.items) if (item.state === SENT) item.state = UNSURE;
  }

  /** The server has taken a question of ours that reads like this; whether one was waiting for that. */
  confirm(text) {
    const is = (state) => (item) => item.state === state && item.text === text;
    const item = this.items.find(is(UNSURE)) ?? this.items.find(is(SENT));
    return this.remove(item?.id);
  }

  /** What the server has just said no to leaves; it is given back. */
  refused() {
    const item = this.items.find(({ state }) => state === SENT) ?? null;
    this.remove(item?.id);
    return item;
  }

  /** The server has said that it did not take what was sent, and would take it later. */
  keep() {
    for (const item of this.items) if (item.state === SENT) item.state = KEPT;
  }

  /** Its author wants it sent again. */
  again(id) {
    const item = this.items.find((one) => one.id === id && one.state === UNSURE);
    if (item) item.state = KEPT;
    return Boolean(item);
  }

  remove(id) {
    const before = this.items.length;
    this.items = this.items.filter((item) => item.id !== id);
    return this.items.length < before;
  }

  clear() {
    return this.items.splice(0).length;
  }

  snapshot() {
    return this.items.map(({ text, state }) => ({ text, state }));
  }

  /** What was under way when the page went away may have arrived. */
  restore(items) {
    this.items = items.map(({ text, state }) => ({ id: ++this.last, text, state }));
    this.lost();
  }
}
