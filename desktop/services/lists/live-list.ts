/**
 * A keyed list that others watch: each watcher is sent the whole list once, then what changed. Changes wait, merged by
 * key, until the watcher asks for more, so a slow one costs at most one entry a key and never sees old news.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ListUpdate } from '../../contract/list-updates.ts';

export interface LiveListOptions<T, K> {
  readonly keyOf: (item: T) => K;
  /** Two keys are the same when their texts are. */
  readonly keyText: (key: K) => string;
  /** What a watcher is sent for an item, at the moment it is sent: for fields that change with time alone. */
  readonly present?: (item: T) => T;
}

interface Watcher {
  /** Texts of the keys that changed since it was last given something. */
  readonly changed: Set<string>;
  wake: (() => void) | null;
}

export class LiveList<T, K> {
  readonly #options: LiveListOptions<T, K>;
  readonly #items = new Map<string, T>();
  readonly #watchers = new Set<Watcher>();
  readonly #listeners = new Set<() => void>();

  constructor(options: LiveListOptions<T, K>) {
    this.#options = options;
  }

  get(key: K): T | undefined {
    return this.#items.get(this.#options.keyText(key));
  }

  values(): T[] {
    return [...this.#items.values()];
  }

  /** Adds or replaces; says nothing to anybody when that changes nothing. */
  set(item: T): void {
    const text = this.#options.keyText(this.#options.keyOf(item));
    if (isDeepStrictEqual(this.#items.get(text), item)) return;
    this.#items.set(text, item);
    this.#tell(text);
  }

  delete(key: K): void {
    const text = this.#options.keyText(key);
    if (this.#items.delete(text)) this.#tell(text);
  }

  /** Makes the part of the list that `isPart` chooses equal to `items`. */
  replace(items: readonly T[], isPart: (item: T) => boolean = () => true): void {
    const { keyOf, keyText } = this.#options;
    const kept = new Set(items.map((item) => keyText(keyOf(item))));
    for (const [text, item] of this.#items) if (!kept.has(text) && isPart(item)) this.delete(keyOf(item));
    for (const item of items) this.set(item);
  }

  /** Calls back after each change, in the same turn. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Resolves with the first thing that `find` makes of the list, now or after a change; rejects with the signal's reason. */
  async until<R>(find: () => R | undefined, signal: AbortSignal): Promise<R> {
    for (;;) {
      signal.throwIfAborted();
      const found = find();
      if (found !== undefined) return found;
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      using _change = this.onChange(wake);
      signal.addEventListener('abort', wake);
      await promise.finally(() => signal.removeEventListener('abort', wake));
    }
  }

  /** A snapshot, then changes, until the signal fires. */
  async *watch(signal: AbortSignal): AsyncGenerator<ListUpdate<T, K>> {
    const present = this.#options.present ?? ((item: T) => item);
    const watcher: Watcher = { changed: new Set(), wake: null };
    const keys = new Map([...this.#items].map(([text, item]) => [text, this.#options.keyOf(item)]));
    const wake = (): void => watcher.wake?.();
    this.#watchers.add(watcher);
    signal.addEventListener('abort', wake);
    try {
      yield { kind: 'snapshot', seq: 0, items: this.values().map(present) };
      for (let seq = 1; !signal.aborted;) {
        if (watcher.changed.size === 0) {
          await new Promise<void>((resolve) => (watcher.wake = resolve));
          watcher.wake = null;
          continue;
        }
        const { upsert, remove } = this.#take(watcher, keys, present);
        // What came and went between two looks is nobody's news.
        if (upsert.length === 0 && remove.length === 0) continue;
        yield { kind: 'change', seq, upsert, remove };
        seq += 1;
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', wake);
    }
  }

  /** `keys`: of what this watcher has been sent, so that a key can be named after its item is gone. */
  #take(watcher: Watcher, keys: Map<string, K>, present: (item: T) => T): { upsert: T[]; remove: K[] } {
    const upsert: T[] = [];
    const remove: K[] = [];
    for (const text of watcher.changed) {
      const item = this.#items.get(text);
      const key = keys.get(text);
      if (item !== undefined) {
        upsert.push(present(item));
        keys.set(text, this.#options.keyOf(item));
      } else if (key !== undefined) {
        remove.push(key);
        keys.delete(text);
      }
    }
    watcher.changed.clear();
    return { upsert, remove };
  }

  #tell(text: string): void {
    for (const watcher of this.#watchers) {
      watcher.changed.add(text);
      watcher.wake?.();
    }
    for (const listener of this.#listeners) listener();
  }
}
