// Where questions are written.

import { find, show } from './dom.js';

export class Composer {
  /** `tell` has `ask(text)`, which gives whether the question was taken, `cancel()` and `wrote(text)`. */
  constructor(tell) {
    this.tell = tell;
    this.field = find('question');
    this.cancel = find('cancel');
    find('composer').addEventListener('submit', (event) => this.submitted(event));
    this.field.addEventListener('keydown', (event) => this.pressed(event));
    this.field.addEventListener('input', () => tell.wrote(this.field.value));
    this.cancel.addEventListener('click', () => tell.cancel());
    for (const example of document.querySelectorAll('.example')) {
      example.addEventListener('click', () => this.fill(example.textContent));
    }
  }

  fill(text) {
    this.field.value = text;
    this.focus();
  }

  focus() {
    this.field.focus();
  }

  /** Enter sends, unless it ends a word that is being composed. */
  pressed(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) this.submitted(event);
  }

  submitted(event) {
    event.preventDefault();
    const text = this.field.value.trim();
    if (text !== '' && this.tell.ask(text)) this.field.value = '';
    this.focus();
  }

  /** The button that cancels goes away together with what it cancels, and the focus must not go with it. */
  running(isRunning) {
    const hadFocus = document.activeElement === this.cancel;
    show(this.cancel, isRunning);
    if (!isRunning && hadFocus) this.focus();
  }
}
