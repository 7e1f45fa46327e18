/**
 * How far a file is written, for those who read it while it grows: an unpack that follows a download. Bytes below
 * `availableBytes` are there and stay as they are.
 */
export class Growth {
  #availableBytes: number;
  #state: GrowthState = { kind: 'growing' };
  readonly #listeners = new Set<() => void>();

  constructor(availableBytes: number) {
    this.#availableBytes = availableBytes;
  }

  get availableBytes(): number {
    return this.#availableBytes;
  }

  get state(): GrowthState {
    return this.#state;
  }

  /** May go back: the same bytes come again from there on. */
  reach(availableBytes: number): void {
    if (this.#state.kind !== 'growing') return;
    this.#availableBytes = availableBytes;
    this.#tell();
  }

  /** Nothing more comes, and what is there is right. */
  complete(): void {
    this.#end({ kind: 'complete' });
  }

  /** Nothing more comes: who reads behind fails with this error. Does nothing after `complete`. */
  fail(error: unknown): void {
    this.#end({ kind: 'failed', error });
  }

  /** Called after every change. */
  listen(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #end(state: GrowthState): void {
    if (this.#state.kind !== 'growing') return;
    this.#state = state;
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

export type GrowthState =
  { readonly kind: 'growing' } | { readonly kind: 'complete' } | { readonly kind: 'failed'; readonly error: unknown };

/** A file that is still being written. */
export interface GrowingFile {
  /** Absolute, while it grows. */
  readonly file: string;
  /** Absolute: where it stands once it is complete, for those who open it late. */
  readonly finalFile: string;
  /** Of the whole; null when nobody told. */
  readonly sizeBytes: number | null;
  readonly growth: Growth;
}
