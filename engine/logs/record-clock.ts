import type { Instant } from '../model/time.ts';
import { timeBytes } from './json-line.ts';

const zero = 0x30;
const billion = 1_000_000_000;

/**
 * The times of log records as ASCII text, in the form of Go's RFC3339Nano (no trailing zeros). No two records have the
 * same one: a chunk of output is read at one moment, and its lines are told apart by a nanosecond each. So a reader may
 * go on with `since` of the last line it has and misses or repeats none.
 */
export class RecordClock {
  readonly text = Buffer.alloc(timeBytes);
  readonly #now: () => Instant;
  #length = 0;
  #second = -1;
  #nanos = 0;

  constructor(now: () => Instant) {
    this.#now = now;
  }

  get length(): number {
    return this.#length;
  }

  /** Of the last record; 0 before the first. */
  get last(): Instant {
    return this.#second < 0 ? 0n : BigInt(this.#second) * 1_000_000_000n + BigInt(this.#nanos);
  }

  /** A chunk was read now. */
  read(): void {
    const now = this.#now();
    const second = Number(now / 1_000_000_000n);
    const nanos = Number(now % 1_000_000_000n);
    // A wall clock that was set back must not make a log that goes back.
    if (second > this.#second || (second === this.#second && nanos > this.#nanos)) this.#set(second, nanos);
  }

  /** The next record's time is now in `text`. */
  tick(): void {
    if (this.#nanos + 1 === billion) this.#set(this.#second + 1, 0);
    else this.#nanos += 1;
    let digits = this.#nanos;
    let length = 29;
    for (let at = 28; at >= 20; at -= 1) {
      const digit = digits % 10;
      digits = (digits - digit) / 10;
      this.text[at] = zero + digit;
      if (digit === 0 && length === at + 1) length = at;
    }
    if (length === 20) length = 19;
    else this.text[19] = 0x2e;
    this.text[length] = 0x5a;
    this.#length = length + 1;
  }

  #set(second: number, nanos: number): void {
    if (second !== this.#second) this.text.write(new Date(second * 1000).toISOString().slice(0, 19), 0, 'latin1');
    this.#second = second;
    this.#nanos = nanos;
  }
}
