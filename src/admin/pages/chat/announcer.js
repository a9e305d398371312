// What a screen reader says while an answer comes in: whole sentences, a few seconds apart, not every token. Decides what is said
// and when; where it is written is up to `speak`.

const PAUSE_MS = 2_500;
const SENTENCE = /[.!?…](?=[\s"')\]]|$)|\n/g;

export class Announcer {
  held = '';
  timer = null;

  /** `speak(text)` puts a text where it is read out politely. */
  constructor(speak, world = globalThis) {
    this.speak = speak;
    this.world = world;
  }

  /** Something short and whole. What was held back comes first. */
  say(text) {
    this.flush(this.held.length, text);
  }

  /** A piece of a text that goes on. */
  hear(text) {
    this.held += text;
    this.timer ??= this.world.setTimeout(() => {
      this.timer = null;
      this.flush(wholeSentences(this.held));
    }, PAUSE_MS);
  }

  flush(length, more = '') {
    const text = [this.held.slice(0, length).trim(), more].filter(Boolean).join(' ');
    this.held = this.held.slice(length);
    if (text) this.speak(text);
  }

  forget() {
    this.held = '';
  }
}

/** Length of the whole sentences that a text begins with. */
export function wholeSentences(text) {
  let end = 0;
  for (const match of text.matchAll(SENTENCE)) end = match.index + match[0].length;
  return end;
}
