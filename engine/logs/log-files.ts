import { closeSync, fstatSync, openSync, readSync, statSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Instant } from '../model/time.ts';
import { inflated } from './inflated.ts';
import type { LogFilePlan } from './log-plan.ts';
import { storedTime } from './stored-record.ts';

const lineFeed = 0x0a;
const readBytes = 65_536;
/** inotify may lose events under load: a follower looks for itself now and then. */
const lookIntervalMs = 5000;

interface OpenFile {
  readonly fd: number;
  readonly inode: number;
}

/**
 * The files of one log as one sequence of lines, oldest first. Each file is known by its inode, so that a rotation under way
 * neither repeats nor leaves out a line as long as no file goes that has not been reached. A file that was compressed
 * meanwhile has another inode: then it is the time of the last line that tells where to go on, since no two have the same.
 */
export class LogFiles implements Disposable {
  readonly #plan: LogFilePlan;
  readonly #watcher: FSWatcher | null;
  #files: OpenFile[] = [];
  #position = 0;
  /** Bytes after the last whole line that was given out. */
  #held: Buffer = Buffer.alloc(0);
  #lastLine: Buffer | null = null;
  /** Lines of this time and before have been given out. */
  #skipUntil: Instant | null = null;
  #onChange: () => void = () => undefined;
  #hasChanged = false;

  private constructor(plan: LogFilePlan, mode: 'stay' | 'follow') {
    this.#plan = plan;
    // Before the files are opened: what is written in between must not go unnoticed.
    this.#watcher = mode === 'follow' ? this.#watch() : null;
  }

  /** `follow`: also the files that are yet to come. */
  static async open(plan: LogFilePlan, mode: 'stay' | 'follow'): Promise<LogFiles> {
    const files = new LogFiles(plan, mode);
    try {
      files.#files = await files.#openAll();
      return files;
    } catch (error) {
      files[Symbol.dispose]();
      throw error;
    }
  }

  /** Moves to where the last `count` lines of those streams begin. */
  seekBeforeLines(count: number, streams: readonly string[]): void {
    const unseen = new Set(streams);
    let left = count;
    for (let index = this.#files.length - 1; index >= 0; index -= 1) {
      const file = this.#files[index];
      if (file === undefined) continue;
      const found = lineStartsFromEnd(file.fd, (line) => {
        const stream = streamOf(line);
        if (!streams.includes(stream)) return 'go-on';
        // A part without a newline belongs to the line that follows it; the last one of all is a line without an end.
        if (isLineEnd(line) || unseen.has(stream)) {
          if (left === 0) return 'stop';
          left -= 1;
        }
        unseen.delete(stream);
        return 'go-on';
      });
      if (found === null) continue;
      for (const { fd } of this.#files.splice(0, index)) closeSync(fd);
      this.#position = found;
      return;
    }
  }

  /** The next lines, at most `limit`, without their newlines; none when all that is there has been given. */
  async readLines(limit: number): Promise<readonly Buffer[]> {
    const lines: Buffer[] = [];
    for (;;) {
      let start = 0;
      while (lines.length < limit) {
        const end = this.#held.indexOf(lineFeed, start);
        if (end === -1) break;
        const line = this.#held.subarray(start, end);
        if (!this.#isSkipped(line)) lines.push(line);
        start = end + 1;
      }
      this.#held = this.#held.subarray(start);
      this.#lastLine = lines.at(-1) ?? this.#lastLine;
      if (lines.length > 0) return lines;
      if (!(await this.#readMore())) return [];
    }
  }

  /** Resolves when there may be more to read. */
  async changed(signal: AbortSignal): Promise<void> {
    if (this.#hasChanged || signal.aborted) {
      this.#hasChanged = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#onChange = () => undefined;
        resolve();
      };
      const timer = setTimeout(done, lookIntervalMs);
      signal.addEventListener('abort', done);
      this.#onChange = done;
    });
    this.#hasChanged = false;
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    for (const { fd } of this.#files.splice(0)) closeSync(fd);
  }

  /** False when there is nothing more, in this file and those after it. */
  async #readMore(): Promise<boolean> {
    for (;;) {
      const file = this.#files[0];
      if (file === undefined) return await this.#reopen();
      const chunk = Buffer.allocUnsafe(readBytes);
      const length = readSync(file.fd, chunk, 0, readBytes, this.#position);
      if (length > 0) {
        this.#position += length;
        this.#held = Buffer.concat([this.#held, chunk.subarray(0, length)]);
        return true;
      }
      if (this.#files.length === 1 && !(await this.#appendNewer(file))) return false;
      // A rotated file is not written any more: what we have read of it is all of it.
      const next = this.#files[1];
      if (next === undefined) return false;
      if (fstatSync(file.fd).size > this.#position) continue;
      closeSync(file.fd);
      this.#files.shift();
      this.#position = 0;
      this.#held = Buffer.alloc(0);
    }
  }

  /** Nothing was there at first; perhaps it is now. */
  async #reopen(): Promise<boolean> {
    if (this.#watcher === null) return false;
    this.#files = await this.#openAll();
    return this.#files.length > 0 && (await this.#readMore());
  }

  /** Rotation: opens the files that have come after `file`. */
  async #appendNewer(file: OpenFile): Promise<boolean> {
    if (this.#watcher === null || inodeOf(this.#plan.path) === file.inode) return false;
    const all = await this.#openAll();
    const at = all.findIndex(({ inode }) => inode === file.inode);
    if (at === -1) this.#skipUntil = this.#lastLine === null ? null : storedTime(this.#lastLine);
    for (const { fd } of all.splice(0, at + 1)) closeSync(fd);
    this.#files.push(...all);
    return all.length > 0;
  }

  /** True up to where the last file was given out, when that is to be found by its time. */
  #isSkipped(line: Buffer): boolean {
    if (this.#skipUntil === null) return false;
    const time = storedTime(line);
    if (time === null || time <= this.#skipUntil) return true;
    this.#skipUntil = null;
    return false;
  }

  /** All files of the log, oldest first. */
  async #openAll(): Promise<OpenFile[]> {
    const { path, maxFiles } = this.#plan;
    const files: OpenFile[] = [];
    for (let index = maxFiles - 1; index >= 0; index -= 1) {
      const name = index === 0 ? path : `${path}.${index}`;
      // The plain one first: it goes last when a file is compressed.
      const fd = openIfThere(name) ?? (index === 0 ? null : await inflated(`${name}.gz`));
      if (fd === null) continue;
      const inode = fstatSync(fd).ino;
      // Renamed between two opens, it would come twice.
      if (files.some((file) => file.inode === inode)) closeSync(fd);
      else files.push({ fd, inode });
    }
    return files;
  }

  #watch(): FSWatcher {
    const name = basename(this.#plan.path);
    const watcher = watch(dirname(this.#plan.path), (_, changed) => {
      if (changed !== null && changed !== name) return;
      this.#hasChanged = true;
      this.#onChange();
    });
    // The folder has gone with its container: followers are told by the container's end.
    watcher.on('error', () => watcher.close());
    return watcher;
  }
}

/** The first of its kind: quotes of the text before it are escaped, those of attributes come after it. */
const streamMark = '","stream":"';

function streamOf(line: Buffer): string {
  const start = line.indexOf(streamMark) + streamMark.length;
  return line.toString('latin1', start, line.indexOf('"', start));
}

function isLineEnd(line: Buffer): boolean {
  const at = line.indexOf(streamMark);
  return line.subarray(at - 2, at).equals(Buffer.from('\\n'));
}

/** Calls for each line from the last to the first; returns the start of the line after the one where it was told to stop. */
function lineStartsFromEnd(fd: number, visit: (line: Buffer) => 'go-on' | 'stop'): number | null {
  let position = fstatSync(fd).size;
  let held: Buffer = Buffer.alloc(0);
  // What follows the last newline is a record that is being written.
  let isLast = true;
  while (position > 0) {
    const length = Math.min(readBytes, position);
    const chunk = Buffer.allocUnsafe(length);
    readSync(fd, chunk, 0, length, position - length);
    position -= length;
    held = held.length === 0 ? chunk : Buffer.concat([chunk, held]);
    for (let end = held.lastIndexOf(lineFeed); end !== -1; end = end === 0 ? -1 : held.lastIndexOf(lineFeed, end - 1)) {
      const line = held.subarray(end + 1);
      if (!isLast && visit(line) === 'stop') return position + end + 1 + line.length + 1;
      isLast = false;
      held = held.subarray(0, end);
    }
  }
  if (held.length > 0 && !isLast && visit(held) === 'stop') return held.length + 1;
  return null;
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}
