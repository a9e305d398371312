// Who types: ourselves, told to others at most every few seconds, and others, until they stop or are not heard of any more.

const REPEAT_MS = 3_000;
const FORGET_MS = 7_000;
const NAMES_MOST = 3;

/** Decides when the server is told that we type. */
export class OwnTyping {
  toldAt = -Infinity;

  /** What to tell, if anything: `true` or `false`, else `null`. */
  changed(text, now) {
    if (text === '') return this.stopped();
    if (now - this.toldAt < REPEAT_MS) return null;
    this.toldAt = now;
    return true;
  }

  stopped() {
    const wasTold = this.toldAt > -Infinity;
    this.toldAt = -Infinity;
    return wasTold ? false : null;
  }
}

/** Who else types. */
export class OthersTyping {
  until = new Map();

  heard({ user, typing }, now) {
    const name = user?.name ?? user?.id;
    if (!name) return;
    if (typing === false) this.until.delete(name);
    else this.until.set(name, now + FORGET_MS);
  }

  /** In words; empty when nobody does. */
  words(now) {
    for (const [name, end] of this.until) if (end <= now) this.until.delete(name);
    const names = [...this.until.keys()];
    if (names.length === 0) return '';
    if (names.length > NAMES_MOST) return `${names.length} others are typing…`;
    return `${new Intl.ListFormat('en').format(names)} ${names.length === 1 ? 'is' : 'are'} typing…`;
  }
}
