// The conversation as people see it. It is changed piece by piece: a token is a text node more, and nothing that stands is made
// anew. Tokens of one frame go in together, so that a fast answer costs no more than the screen can show.

import { button, element, find, show } from './dom.js';
import { KEPT, SENT, UNSURE } from './outbox.js';

/** How near to the end counts as reading along, pixels. */
const NEAR = 80;

const ENDED = {
  cancelled: 'Cancelled.',
  interrupted: 'Cut off.',
};

export class View {
  nodes = new Map();
  pending = new Map();
  isFollowing = true;
  hasFrame = false;

  constructor() {
    this.log = find('log');
    this.latest = find('latest');
    this.latest.addEventListener('click', () => this.follow());
    addEventListener('scroll', () => this.scrolled(), { passive: true });
    // What else changes the height of the page must not hide the end from whoever reads it.
    new ResizeObserver(() => this.stay()).observe(document.body);
  }

  change(change) {
    CHANGES[change.kind](this, change);
  }

  clear() {
    this.nodes.clear();
    this.pending.clear();
    this.log.replaceChildren();
    show(find('welcome'), true);
  }

  add(item) {
    show(find('welcome'), false);
    const parts = ITEMS[item.kind](item);
    this.nodes.set(item.id, parts);
    this.log.append(parts.root);
    if (item.kind === 'turn' && item.state !== 'running') finish(parts, item);
    this.stay();
  }

  remove(id) {
    this.nodes.get(id)?.root.remove();
    this.nodes.delete(id);
  }

  step(id, { name, text }) {
    const { steps } = this.nodes.get(id);
    for (const before of steps.children) over(before);
    steps.append(element('li', { 'data-step': name, 'data-state': 'now', 'aria-current': 'step' }, text));
    this.stay();
  }

  text(id, text) {
    const waiting = this.pending.get(id);
    if (waiting) waiting.push(text);
    else this.pending.set(id, [text]);
    if (!this.hasFrame) requestAnimationFrame(() => this.frame());
    this.hasFrame = true;
  }

  frame() {
    this.hasFrame = false;
    for (const [id, texts] of this.pending) this.nodes.get(id)?.answer.append(texts.join(''));
    this.pending.clear();
    this.stay();
  }

  replace(id, text) {
    this.pending.delete(id);
    this.nodes.get(id).answer.replaceChildren(text);
  }

  reword(id, text) {
    this.nodes.get(id).root.querySelector('.said-text')?.replaceChildren(text);
  }

  end(id, item) {
    this.frame();
    finish(this.nodes.get(id), item);
    this.stay();
  }

  /** Says beside an unfinished answer that it waits for the line. */
  paused(id, isPaused) {
    for (const [other, { pause }] of this.nodes) if (pause) show(pause, isPaused && other === id);
    this.stay();
  }

  /** Questions that are not confirmed; `why` says what those wait for that have not left. */
  outbox(items, why, again, discard) {
    const row = ({ id, text, state }) => element('li', { class: 'turn waiting', 'data-state': state },
      element('div', { class: 'question' }, element('p', {}, text)),
      element('p', { class: 'delivery' }, state === KEPT ? why : DELIVERY[state], ' ',
        state === UNSURE ? button('Send again', () => again(id), { class: 'link' }) : null, ' ',
        state === SENT ? null : button('Discard', () => discard(id), { class: 'link' })));
    find('outbox').replaceChildren(...items.map(row));
    if (items.length > 0) show(find('welcome'), false);
    this.stay();
  }

  scrolled() {
    const { scrollHeight, clientHeight } = document.documentElement;
    this.isFollowing = scrollHeight - clientHeight - scrollY < NEAR;
    show(this.latest, !this.isFollowing);
  }

  follow() {
    this.isFollowing = true;
    show(this.latest, false);
    this.stay();
  }

  stay() {
    if (this.isFollowing) scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' });
  }
}

const DELIVERY = {
  [SENT]: 'Sending…',
  [UNSURE]: 'The connection broke before the server confirmed this. If it arrived, its answer will appear here.',
};

function over(step) {
  step.dataset.state = 'over';
  step.removeAttribute('aria-current');
}

const CHANGES = {
  added: (view, { item }) => view.add(item),
  removed: (view, { id }) => view.remove(id),
  step: (view, { id, step }) => view.step(id, step),
  text: (view, { id, text }) => view.text(id, text),
  replaced: (view, { id, text }) => view.replace(id, text),
  reworded: (view, { id, text }) => view.reword(id, text),
  ended: (view, { id, item }) => view.end(id, item),
};

const asker = ({ mine, author }) => element('p', { class: 'author' }, mine ? 'You' : author || 'Somebody');

const said = (text) => element('p', { class: 'said-text' }, text);

const ITEMS = {
  turn(item) {
    const question = item.question === null
      ? element('p', { class: 'delivery' }, 'The question is not kept any more.')
      : element('div', { class: 'question', 'data-mine': String(item.mine) }, asker(item), said(item.question));
    const steps = element('ol', { class: 'steps', 'aria-label': 'Progress' }, ...item.steps.map(({ name, text, isOver }) =>
      element('li', { 'data-step': name, 'data-state': isOver ? 'over' : 'now' }, text)));
    const answer = element('div', { class: 'answer' }, item.text);
    const pause = element('p', { class: 'delivery', hidden: true }, 'The connection is gone. The answer goes on when it is back.');
    const root = element('article', { class: 'turn', 'data-state': item.state, 'aria-busy': String(item.state === 'running') },
      question, steps, answer, pause);
    return { root, steps, answer, pause };
  },
  said: (item) => ({
    root: element('div', { class: 'question said', 'data-mine': String(item.mine) }, asker(item), said(item.text)),
  }),
  note: ({ text, tone }) => ({ root: element('p', { class: 'note', 'data-tone': tone }, text) }),
};

function finish({ root, steps, pause }, item) {
  root.dataset.state = item.state;
  root.setAttribute('aria-busy', 'false');
  for (const step of steps.children) over(step);
  pause.remove();
  const facts = item.state === 'complete' ? about(item) : null;
  const failure = item.failure ?? (ENDED[item.state] ? { text: ENDED[item.state] } : null);
  root.append(...[failure ? failed(item.state, failure) : null, facts].filter(Boolean));
}

function failed(state, { text, code, retry_after: seconds }) {
  const wait = seconds ? `. Try again in ${Math.ceil(seconds)} s.` : '';
  return element('p', { class: 'failure', 'data-state': state }, `${text}${wait}`, code ? element('code', {}, code) : null);
}

/** Who answered, how sure, and what that rests on. */
function about({ agent, confidence, sources }) {
  const sure = typeof confidence === 'number' ? `${Math.round(confidence * 100)} % confident` : null;
  return element('footer', { class: 'about' },
    element('p', {}, agent ? element('span', { class: 'agent' }, agent) : null, sure ? element('span', { class: 'confidence' }, sure) : null),
    sources.length === 0 ? null : element('ul', { class: 'sources', 'aria-label': 'Sources' },
      ...sources.map((source) => element('li', {}, source))));
}
