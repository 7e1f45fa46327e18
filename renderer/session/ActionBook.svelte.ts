import { SvelteMap } from 'svelte/reactivity';
import type { ErrorShape } from '../../desktop/contract/errors.ts';
import { shapeOf } from '../lists/follow-list.ts';

export type ActionState<Action extends string> =
  | { readonly kind: 'pending'; readonly action: Action }
  | { readonly kind: 'failed'; readonly action: Action; readonly error: ErrorShape };

/** What is under way for each object, so that its row can say so wherever it is drawn. One action an object at a time. */
export class ActionBook<Action extends string> {
  readonly #entries = new SvelteMap<string, ActionState<Action>>();

  of(key: string): ActionState<Action> | null {
    return this.#entries.get(key) ?? null;
  }

  /** Resolves when the work has ended either way; true when it went well. A second action on the same object is not begun. */
  async run(options: {
    readonly key: string;
    readonly action: Action;
    readonly work: () => Promise<unknown>;
  }): Promise<boolean> {
    const { key, action, work } = options;
    if (this.#entries.get(key)?.kind === 'pending') return false;
    this.#entries.set(key, { kind: 'pending', action });
    try {
      await work();
      this.#entries.delete(key);
      return true;
    } catch (error) {
      this.#entries.set(key, { kind: 'failed', action, error: shapeOf(error) });
      return false;
    }
  }

  dismiss(key: string): void {
    if (this.#entries.get(key)?.kind === 'failed') this.#entries.delete(key);
  }
}
