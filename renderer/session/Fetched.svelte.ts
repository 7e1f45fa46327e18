import type { ErrorShape } from '../../desktop/contract/errors.ts';
import { shapeOf } from '../lists/follow-list.ts';

export type FetchState<T> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: ErrorShape };

/** One answer that is asked for when it is looked at, and again on demand; what was known stays until the new one is there. */
export class Fetched<T> {
  #state = $state.raw<FetchState<T>>({ kind: 'loading' });
  #isBusy = $state(false);
  #turn = 0;

  get state(): FetchState<T> {
    return this.#state;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** A later call wins over one that is still under way. */
  async load(ask: () => Promise<T>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#isBusy = true;
    let next: FetchState<T>;
    try {
      next = { kind: 'ready', value: await ask() };
    } catch (error) {
      next = { kind: 'failed', error: shapeOf(error) };
    }
    if (turn !== this.#turn) return;
    this.#state = next;
    this.#isBusy = false;
  }
}
