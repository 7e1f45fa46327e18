import type { KnownVm } from './virtual-machine.ts';

/**
 * Hyper-V's machines for those who only look: who asks while another look is not begun yet shares it, for each is a PowerShell, and a list
 * of twenty machines asks twenty times at once. Nobody is given an answer that was begun before they asked.
 */
export class VmList {
  readonly #look: () => Promise<readonly KnownVm[]>;
  #current: Promise<unknown> = Promise.resolve();
  #next: Promise<readonly KnownVm[]> | null = null;

  constructor(look: () => Promise<readonly KnownVm[]>) {
    this.#look = look;
  }

  get(): Promise<readonly KnownVm[]> {
    this.#next ??= this.#after(this.#current);
    return this.#next;
  }

  #after(current: Promise<unknown>): Promise<readonly KnownVm[]> {
    const begun = (async () => {
      await current;
      this.#next = null;
      return await this.#look();
    })();
    this.#current = begun.catch(() => undefined);
    return begun;
  }
}
