// The bar above: how the line is, who we are, and which session this is.

import { find, show } from './dom.js';
import { problemOf } from './place.js';

const PANELS = ['sign-in', 'session'];

export class Panel {
  /** `tell` has `retry()`, `signIn(token)`, `signOut()`, `join(id)`, `begin()`, `address()` and `said(text)`. */
  constructor(tell) {
    this.tell = tell;
    for (const name of PANELS) {
      find(`${name}-toggle`).addEventListener('click', () => this.toggle(name));
      find(name).addEventListener('keydown', (event) => { if (event.key === 'Escape') this.close(name); });
    }
    find('retry').addEventListener('click', () => tell.retry());
    find('sign-out').addEventListener('click', () => tell.signOut());
    find('new-session').addEventListener('click', () => { this.fold('session'); tell.begin(); });
    find('copy').addEventListener('click', () => this.copy());
    find('sign-in-form').addEventListener('submit', (event) => this.signIn(event));
    find('join-form').addEventListener('submit', (event) => this.join(event));
  }

  isOpen(name) {
    return !find(name).hidden;
  }

  toggle(name) {
    const willOpen = !this.isOpen(name);
    for (const other of PANELS) this.fold(other);
    if (willOpen) this.unfold(name);
  }

  unfold(name) {
    show(find(name), true);
    find(`${name}-toggle`).setAttribute('aria-expanded', 'true');
  }

  fold(name) {
    show(find(name), false);
    find(`${name}-toggle`).setAttribute('aria-expanded', 'false');
  }

  close(name) {
    this.fold(name);
    find(`${name}-toggle`).focus();
  }

  line(state, text, canRetry = false) {
    find('state').dataset.state = state;
    find('state-text').textContent = text;
    const retry = find('retry');
    const hadFocus = document.activeElement === retry;
    show(retry, canRetry);
    if (!canRetry && hadFocus) find('question').focus();
  }

  /** A token is asked for where somebody has to give one. */
  askForToken(problem) {
    for (const other of PANELS) this.fold(other);
    this.unfold('sign-in');
    this.problem('token', problem);
    find('token').focus();
  }

  signedIn(user) {
    const name = user?.name || user?.email || user?.id || '';
    const isIn = user !== null;
    const hadFocus = find('sign-in').contains(document.activeElement);
    find('user').textContent = name;
    find('sign-in-toggle').textContent = isIn ? name || 'Signed in' : 'Sign in';
    show(find('signed-in'), isIn);
    show(find('sign-in-form'), !isIn);
    this.problem('token', '');
    if (!isIn || !this.isOpen('sign-in')) return;
    find('token').value = '';
    this.fold('sign-in');
    if (hadFocus) find('question').focus();
  }

  session(id) {
    find('session-id').textContent = id;
  }

  problem(field, text) {
    find(`${field}-problem`).textContent = text;
    const input = find(field === 'join' ? 'join-id' : field);
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }

  signIn(event) {
    event.preventDefault();
    const token = find('token').value.trim();
    this.problem('token', token ? '' : 'Paste a token.');
    if (token) this.tell.signIn(token);
    else find('token').focus();
  }

  join(event) {
    event.preventDefault();
    const id = find('join-id').value.trim();
    const problem = problemOf(id);
    this.problem('join', problem ?? '');
    if (problem) return find('join-id').focus();
    this.fold('session');
    find('join-id').value = '';
    return this.tell.join(id);
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.tell.address());
      this.tell.said('The address is copied. It has no token in it.');
      find('copy').textContent = 'Copied';
    } catch {
      find('copy').textContent = 'Copy it from the address bar';
    }
    setTimeout(() => { find('copy').textContent = 'Copy its address'; }, 3_000);
  }
}
