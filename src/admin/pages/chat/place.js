// What outlives a reload: which session this tab looks at, how far it has read, and what it had read by then. All of it is one
// value, written at once, so that text and sequence always belong together. It stays in this tab (sessionStorage).

const KEY = 'millrace.chat';

export class Place {
  constructor(storage) {
    this.storage = storage;
  }

  load() {
    try {
      const value = JSON.parse(this.storage.getItem(KEY) ?? '{}');
      return value !== null && typeof value === 'object' ? value : {};
    } catch {
      return {};
    }
  }

  /** A storage that is full or forbidden costs the reload and nothing else. */
  save(value) {
    try {
      this.storage.setItem(KEY, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }
}

/** `{ token, session }` of an address's fragment, as far as they are there. */
export function fromFragment(hash) {
  const found = {};
  for (const part of hash.replace(/^#/, '').split('&')) {
    const at = part.indexOf('=');
    const name = part.slice(0, at);
    if (name === 'token' || name === 'session') found[name] = decoded(part.slice(at + 1));
  }
  return found;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** An id that nobody else has. */
export function newSessionId(random = crypto) {
  const bytes = random.getRandomValues(new Uint8Array(10));
  return `chat-${Array.from(bytes, (byte) => byte.toString(36).padStart(2, '0')).join('')}`;
}

/** What is wrong with an id, in words; nothing where it is right. */
export function problemOf(id) {
  return /^[A-Za-z0-9_:@-]{1,128}$/.test(id) && id !== 'room:'
    ? null
    : 'An id has 1 to 128 letters, digits, or any of _ : @ -';
}
