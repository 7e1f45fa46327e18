/** The keys by which a client leaves a terminal and lets what runs in it go on: known on both sides of the wire. */

/** ctrl-p ctrl-q, as docker's. */
export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/**
 * Parses `ctrl-a,b,ctrl-[` into the bytes that a terminal sends for them. Each part is one character or `ctrl-` with
 * a letter or one of `@[\]^_`. Throws RangeError naming the part that is neither.
 */
export function parseDetachKeys(text: string): Buffer {
  const bytes = text.split(',').map((part) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(part)?.[1];
    if (control) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (/^[\x20-\x7e]$/.test(part)) return part.charCodeAt(0);
    throw new RangeError(`unknown detach key '${part}': use a single character or ctrl-<letter>, joined by commas`);
  });
  return Buffer.from(bytes);
}

/**
 * Finds the detach sequence in what is typed, however it is cut. A beginning that turns out to be none is passed on, so
 * that a lone ctrl-p still reaches the shell with the next key.
 */
export class DetachScanner {
  readonly #sequence: Buffer;
  #matched = 0;

  constructor(sequence: Buffer) {
    this.#sequence = sequence;
  }

  /** Bytes to pass on. After `isDetached` nothing more must be passed; what follows the sequence is dropped. */
  push(bytes: Buffer): { readonly pass: Buffer; readonly isDetached: boolean } {
    const pass: number[] = [];
    for (const byte of bytes) {
      if (byte !== this.#sequence[this.#matched]) {
        pass.push(...this.#sequence.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#sequence[this.#matched]) this.#matched++;
      else pass.push(byte);
      if (this.#matched === this.#sequence.length) return { pass: Buffer.from(pass), isDetached: true };
    }
    return { pass: Buffer.from(pass), isDetached: false };
  }
}
