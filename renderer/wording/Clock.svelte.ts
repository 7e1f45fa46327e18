import { createSubscriber } from 'svelte/reactivity';

/** The present moment for whoever draws it, renewed every `periodMs` and only while somebody looks. */
export class Clock {
  readonly #subscribe: () => void;

  constructor(periodMs: number) {
    this.#subscribe = createSubscriber((update) => {
      const timer = setInterval(update, periodMs);
      return () => clearInterval(timer);
    });
  }

  /** Unix milliseconds. */
  get now(): number {
    this.#subscribe();
    return Date.now();
  }
}

/** For ages in lists. */
export const slowClock = new Clock(5_000);
/** For what is being counted while one watches. */
export const quickClock = new Clock(500);
