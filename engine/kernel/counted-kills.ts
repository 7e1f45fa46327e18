/** A kill is counted once its victim is chosen, a moment after the notice; on a busy computer the victim takes long to die. */
const countedWithinMs = 1_000;

const lookEveryMs = 20;

/**
 * Kills by their count, where notices come with them that are no count: cgroups of version 1 give one each time that
 * memory is looked for in vain, which is before the kill, and hundreds of times while the victim dies.
 */
export class CountedKills implements Disposable {
  /** Null: it is not known any more. */
  readonly #count: () => number | null;
  readonly #onKill: () => void;
  #told: number;
  #isTold = true;
  #looksLeft = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: { readonly count: () => number | null; readonly onKill: () => void }) {
    this.#count = parts.count;
    this.#onKill = parts.onKill;
    this.#told = parts.count() ?? 0;
  }

  /** Something is being killed. What no count tells within a second (it was in a cgroup below) is told as one kill. */
  noticed(): void {
    if (this.#timer === null) this.#isTold = false;
    this.#looksLeft = countedWithinMs / lookEveryMs;
    if (this.#timer === null) this.#look();
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    this.#timer = null;
    for (const count = this.#count() ?? this.#told; this.#told < count; this.#told += 1) this.#tell();
    this.#looksLeft -= 1;
    if (this.#looksLeft > 0) this.#timer = setTimeout(() => this.#look(), lookEveryMs).unref();
    else if (!this.#isTold) this.#tell();
  }

  #tell(): void {
    this.#isTold = true;
    this.#onKill();
  }
}
