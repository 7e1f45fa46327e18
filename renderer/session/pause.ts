/** Waits `ms`, or until the signal fires or `wake` is called; resolves in every case. */
export class Pauses {
  readonly #waiting = new Set<() => void>();

  pause = (ms: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      this.#waiting.delete(done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    this.#waiting.add(done);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
    return promise;
  };

  /** Ends every pause now: what was waited for has come, or somebody asks not to wait. */
  wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}
