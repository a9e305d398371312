// How long to wait before the next try to connect: twice as long each time, and never quite the same, so that many pages that
// lost one server do not come back at the same moment.

const FIRST_MS = 500;
const LONGEST_MS = 20_000;

export class Backoff {
  failures = 0;

  constructor(random = Math.random) {
    this.random = random;
  }

  /** Milliseconds until the next try: between half of the step's length and all of it. */
  next() {
    const step = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.failures);
    this.failures = Math.min(this.failures + 1, 16);
    return Math.round(step * (0.5 + this.random() / 2));
  }

  /** The connection has proved useful. */
  reset() {
    this.failures = 0;
  }
}
