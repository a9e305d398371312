// What was asked and answered, as a plain value: messages of the server go in, changes for whoever shows them come out. It knows
// neither page nor network, and its snapshot belongs to the sequence it was taken at.

/** Items that are kept; a page is no archive. */
export const ITEMS_MOST = 200;
/** Characters of a snapshot's texts. */
const SNAPSHOT_CHARS = 400_000;

export class Conversation {
  items = [];
  last = 0;

  /** The turn that is being answered. */
  get running() {
    const newest = this.items.findLast(({ kind }) => kind === 'turn');
    return newest?.state === 'running' ? newest : null;
  }

  /** Takes a message; gives the changes it makes. */
  apply(message, mine = false) {
    return MESSAGES[message.type]?.(this, message, mine) ?? [];
  }

  /** Says something of our own, between what was asked and answered. */
  note(text, tone = 'plain') {
    return this.add({ kind: 'note', text, tone });
  }

  /** Nothing more will come for what is being answered. */
  interrupt(reason) {
    return this.end('interrupted', { failure: { text: reason } });
  }

  add(item) {
    item.id = ++this.last;
    this.items.push(item);
    // As it is now: what changes it next is a change of its own.
    const all = [{ kind: 'added', item: item.kind === 'turn' ? { ...item, steps: [...item.steps] } : item }];
    if (this.items.length > ITEMS_MOST) all.push({ kind: 'removed', id: this.items.shift().id });
    return all;
  }

  /** The turn a message belongs to; one whose beginning nobody saw has no question. */
  turn(changes) {
    if (!this.running) changes.push(...this.add(turn(null, '')));
    return this.running;
  }

  step(name, text) {
    const changes = [];
    const item = this.turn(changes);
    for (const step of item.steps) step.isOver = true;
    const step = { name, text, isOver: false };
    item.steps.push(step);
    return [...changes, { kind: 'step', id: item.id, step }];
  }

  token(text) {
    const changes = [];
    const item = this.turn(changes);
    item.text += text;
    return [...changes, { kind: 'text', id: item.id, text }];
  }

  end(state, rest) {
    const changes = [];
    const item = state === 'interrupted' ? this.running : this.turn(changes);
    if (!item) return [];
    Object.assign(item, rest, { state });
    for (const step of item.steps) step.isOver = true;
    return [...changes, { kind: 'ended', id: item.id, item }];
  }

  /** What was asked or said at a place reads otherwise now. */
  reword(at, text) {
    const item = this.items.find((one) => one.at === at);
    if (!item) return [];
    item[item.kind === 'turn' ? 'question' : 'text'] = text;
    return [{ kind: 'reworded', id: item.id, text }];
  }

  /** The newest items whose texts fit; the rest is only counted. */
  snapshot() {
    let room = SNAPSHOT_CHARS;
    const kept = [];
    for (const item of this.items.toReversed()) {
      room -= JSON.stringify(item).length;
      if (room < 0) break;
      kept.unshift(item);
    }
    return { items: kept, left: this.items.length - kept.length };
  }

  restore({ items, left }) {
    this.items = [];
    const first = left > 0 ? this.note('What came before is not kept in this page.') : [];
    return [...first, ...items.flatMap((item) => this.add(item))];
  }
}

const turn = (question, author, mine = false, at = 0) =>
  ({ kind: 'turn', question, author, mine, at, steps: [], text: '', state: 'running' });

/** The text that was streamed is what the answer says, unless a part of it was missed. */
function whole(conversation, { response, metadata }) {
  const changes = [];
  const item = conversation.turn(changes);
  const differs = typeof response === 'string' && response !== item.text;
  if (differs) item.text = response;
  const { agent = null, confidence = null, context } = metadata ?? {};
  const sources = Array.isArray(context?.sources) ? context.sources.map(String) : [];
  const ended = conversation.end('complete', { agent, confidence, sources });
  return [...changes, ...(differs ? [{ kind: 'replaced', id: item.id, text: response }] : []), ...ended];
}

function progress(conversation, { step, message, question, user, sequence }, mine) {
  if (step !== 'starting') return conversation.step(String(step), String(message ?? step));
  // A turn whose end went by unseen is over when the next one begins.
  const before = conversation.interrupt('How this ended was not seen.');
  const added = conversation.add(turn(question ?? null, user?.name ?? user?.id ?? '', mine, sequence));
  return [...before, ...added, ...conversation.step('starting', String(message ?? step))];
}

const compact = (value) => (value === undefined ? '' : ` ${JSON.stringify(value)}`.slice(0, 200));

/** What each message of the server means; others mean nothing here. */
const MESSAGES = {
  __proto__: null,
  progress,
  token: (conversation, { token }) => conversation.token(String(token ?? '')),
  complete: whole,
  // What ends before it began has no turn to show it in: whoever asked is told by `session.js`.
  cancelled: (conversation) => (conversation.running ? conversation.end('cancelled', {}) : []),
  error: (conversation, { error, reason, code, retry_after }) => {
    const failure = { text: String(error ?? 'Something went wrong'), code: reason ?? code, retry_after };
    return conversation.running ? conversation.end('failed', { failure }) : [];
  },
  tool_call: (conversation, { tool, args }) => conversation.step(`tool:${tool}`, `Calling ${tool}${compact(args)}`),
  tool_result: (conversation, { tool }) => conversation.step(`tool:${tool}`, `${tool} answered`),
  said: (conversation, { message, user, sequence }, mine) =>
    conversation.add({ kind: 'said', text: String(message ?? ''), author: user?.name ?? user?.id ?? '', mine, at: sequence }),
  edited: (conversation, { of, message }) => conversation.reword(of, String(message ?? '')),
  deleted: (conversation, { of }) => conversation.reword(of, '(deleted)'),
};
