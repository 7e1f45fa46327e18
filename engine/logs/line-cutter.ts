/** Cuts output into lines for those who send them one by one; what is longer than docker's 16 KiB comes in parts. */
import { partBytes } from './json-file-writer.ts';

export interface CutLine {
  /** Without its newline. */
  readonly text: Buffer;
  readonly isPartial: boolean;
}

export class LineCutter {
  #held: Buffer = Buffer.alloc(0);

  /** The lines are valid until the next call. */
  *push(bytes: Buffer): Generator<CutLine, void, void> {
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    for (;;) {
      const end = rest.indexOf(0x0a);
      if (end !== -1 && end <= partBytes) {
        yield { text: rest.subarray(0, end), isPartial: false };
        rest = rest.subarray(end + 1);
      } else if (rest.length > partBytes) {
        yield { text: rest.subarray(0, partBytes), isPartial: true };
        rest = rest.subarray(partBytes);
      } else break;
    }
    this.#held = Buffer.from(rest);
  }

  /** The line that has no end. */
  flush(): CutLine | null {
    const text = this.#held;
    this.#held = Buffer.alloc(0);
    return text.length === 0 ? null : { text, isPartial: false };
  }
}
