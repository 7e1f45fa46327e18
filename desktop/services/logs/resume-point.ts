/**
 * How far a log has been read, so that reading can go on after a break without a line lost or told twice. Engines send from
 * a moment on, that moment included, and many lines may bear the same one: so those already seen are counted and skipped.
 */
import type { LogLine } from '../../contract/logs.ts';

export class ResumePoint {
  #time: string | null = null;
  /** Lines seen that bear `#time`. */
  #seen = 0;
  /** Of those, how many are still to be skipped after a resumption. */
  #skip = 0;

  /** What to ask the engine for: Unix seconds with nanoseconds as text; undefined when nothing has been read. */
  get since(): string | undefined {
    if (this.#time === null) return undefined;
    const seconds = Math.floor(Date.parse(this.#time) / 1000);
    const fraction = /\.(\d{1,9})/.exec(this.#time)?.[1] ?? '0';
    return `${seconds}.${fraction.padEnd(9, '0')}`;
  }

  /** Reading starts again at `since`. */
  resume(): void {
    this.#skip = this.#seen;
  }

  /** Those of `lines` that have not been seen before. */
  unseen(lines: readonly LogLine[]): LogLine[] {
    return lines.filter((line) => {
      if (this.#skip > 0 && line.time === this.#time) {
        this.#skip -= 1;
        return false;
      }
      this.#skip = 0;
      if (line.time === null) return true;
      this.#seen = line.time === this.#time ? this.#seen + 1 : 1;
      this.#time = line.time;
      return true;
    });
  }
}
