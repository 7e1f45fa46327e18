import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a played tool knows, as files below its home: each call of it is a process of its own. */

/** What goes wrong next: the first entry whose verb is called is taken out and happens. */
export interface PlayedFault<Kind extends string> {
  /** `*`: whatever is called. */
  readonly verb: string;
  readonly kind: Kind;
  /** How many calls pass before it. */
  readonly after?: number;
  /** Then to every further call too, until the faults are set anew. */
  readonly isLasting?: boolean;
}

export class PlayedFaults<Kind extends string> {
  readonly #file: string;

  constructor(home: string) {
    this.#file = join(home, 'faults.json');
  }

  set(faults: readonly PlayedFault<Kind>[]): void {
    writeWhole(this.#file, faults);
  }

  /** Whether all that was to happen has. */
  get areSpent(): boolean {
    return !existsSync(this.#file) || readJson<unknown[]>(this.#file).length === 0;
  }

  take(verb: string): Kind | null {
    if (!existsSync(this.#file)) return null;
    const faults = readJson<PlayedFault<Kind>[]>(this.#file);
    const at = faults.findIndex((fault) => fault.verb === verb || fault.verb === '*');
    const found = faults[at];
    if (found === undefined) return null;
    const { after = 0, isLasting = false } = found;
    if (after > 0) this.set(faults.with(at, { ...found, after: after - 1 }));
    else if (!isLasting) this.set(faults.toSpliced(at, 1));
    return after > 0 ? null : found.kind;
  }
}

/** Things of one kind, a file each, by their id. */
export class PlayedRecords<T extends { readonly id: string }> {
  readonly #folder: string;

  constructor(home: string, kind: string) {
    this.#folder = join(home, kind);
    mkdirSync(this.#folder, { recursive: true });
  }

  all(): T[] {
    const files = readdirSync(this.#folder).filter((name) => name.endsWith('.json'));
    return files.flatMap((name) => this.find(name.slice(0, -'.json'.length)) ?? []);
  }

  find(id: string): T | null {
    try {
      return readJson<T>(this.#file(id));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
  }

  put(record: T): void {
    writeWhole(this.#file(record.id), record);
  }

  remove(id: string): void {
    rmSync(this.#file(id), { force: true });
  }

  #file(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A process that nobody has waited for yet is dead all the same.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Of a file that a played tool itself has written. */
export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

export function writeWhole(path: string, value: unknown): void {
  const making = `${path}.${process.pid}`;
  writeFileSync(making, JSON.stringify(value));
  renameSync(making, path);
}
