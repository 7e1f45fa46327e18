import type { ContainerId } from '../../model/ids.ts';

/** What waits to be restarted. In memory alone: the moment stands in the container's row, and boot arms the timer again. */
export class RestartTimers implements Disposable {
  readonly #timers = new Map<ContainerId, NodeJS.Timeout>();

  /** Calls `work` after the delay; one timer a container, the last one counts. */
  arm(id: ContainerId, delayMs: number, work: () => void): void {
    this.cancel(id);
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#timers.delete(id);
        work();
      }, delayMs),
    );
  }

  cancel(id: ContainerId): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
