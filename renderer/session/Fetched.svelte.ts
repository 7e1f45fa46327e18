import type { ErrorShape } from '../../desktop/contract/errors.ts';
import { shapeOf } from '../lists/follow-list.ts';

type FetchState<T> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: ErrorShape };

/** An answer that somebody looks at: asked for, and again on demand; what was known stays until the new one is there. */
export class Fetched<T> {
  readonly #ask: () => Promise<T>;
  #state = $state.raw<FetchState<T>>({ kind: 'loading' });
  #isBusy = $state(false);
  #turn = 0;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  get state(): FetchState<T> {
    return this.#state;
  }

  /** Null while there is none. */
  get value(): T | null {
    return this.#state.kind === 'ready' ? this.#state.value : null;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** A later look wins over one that is still under way. */
  async look(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#isBusy = true;
    let next: FetchState<T>;
    try {
      next = { kind: 'ready', value: await this.#ask() };
    } catch (error) {
      next = { kind: 'failed', error: shapeOf(error) };
    }
    if (turn !== this.#turn) return;
    this.#state = next;
    this.#isBusy = false;
  }
}

/** For a component that is being made: looks as soon as `canAsk`, and again whenever what `canAsk` or `ask` reads has changed. */
export function fetched<T>(options: { readonly canAsk: () => boolean; readonly ask: () => Promise<T> }): Fetched<T> {
  const { canAsk, ask } = options;
  const answer = new Fetched(ask);
  $effect(() => {
    if (canAsk()) void answer.look();
  });
  return answer;
}
