/** A log that is sent away line by line, with a copy that can be read here. */
import type { Instant } from '../model/time.ts';
import { type CutLine, LineCutter } from './line-cutter.ts';
import type { LogWriter } from './log-writer.ts';

/** Where lines are sent. */
export interface LineSender extends Disposable {
  /** Throws when the line cannot be sent now: it is lost then. */
  send(stream: 'stdout' | 'stderr', line: CutLine): void;
}

export class SentLog implements LogWriter {
  readonly #sender: LineSender;
  readonly #copy: LogWriter | null;
  readonly #cutters = { stdout: new LineCutter(), stderr: new LineCutter() };

  constructor(sender: LineSender, copy: LogWriter | null) {
    this.#sender = sender;
    this.#copy = copy;
  }

  get lastRecordAt(): Instant {
    return this.#copy?.lastRecordAt ?? 0n;
  }

  write(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    this.#copy?.write(stream, bytes);
    for (const line of this.#cutters[stream].push(bytes)) this.#sender.send(stream, line);
  }

  finish(): void {
    this.#copy?.finish();
    for (const stream of ['stdout', 'stderr'] as const) {
      const line = this.#cutters[stream].flush();
      if (line !== null) this.#sender.send(stream, line);
    }
  }

  [Symbol.dispose](): void {
    this.#sender[Symbol.dispose]();
    this.#copy?.[Symbol.dispose]();
  }
}
