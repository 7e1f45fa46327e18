import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../diagnostics/log.ts';
import { type DiffId, type Digest, hexOf, parseDigest } from '../model/ids.ts';
import type { Database } from '../store/database.ts';
import type { DiskReserve } from '../store/disk-reserve.ts';
import type { Settle, WriteOut } from '../store/write-out.ts';
import type { Blob, Content, ContentSum, Ingest } from './content.ts';
import { completeIngest, IngestFile } from './ingest-file.ts';

/** What an unfinished pull left goes after so long: ingests at the next boot, blobs with the next collection. */
const keptMs = 24 * 60 * 60 * 1000;
const trash = 'trash-';

/** The blobs of one store (see `content.ts` for what each method promises). Opening it deletes what an engine that was killed left. */
export class BlobStore implements Content {
  readonly #database: Database;
  readonly #log: Log;
  readonly #reserve: Pick<DiskReserve, 'around'>;
  readonly #nowMs: () => number;
  readonly #blobs: string;
  readonly #ingests: string;
  readonly #writeOut: Pick<WriteOut, 'mark' | 'takeUp'>;
  readonly #reach: (point: string) => void;
  readonly #holds = new Map<Digest, number>();
  /** The writers of a digest, one behind the other: resolves when the last of them has ended. */
  readonly #writers = new Map<Digest, Promise<void>>();

  /** `nowMs`: of the wall clock, which file times are compared with. */
  constructor(parts: {
    readonly database: Database;
    readonly dataRoot: string;
    readonly log: Log;
    readonly nowMs: () => number;
    readonly writeOut: Pick<WriteOut, 'mark' | 'takeUp'>;
    /** Room to remove blobs with when there is none. */
    readonly reserve?: Pick<DiskReserve, 'around'>;
    /** Told each point where something is half done, and where a test may end the engine. */
    readonly reach?: (point: string) => void;
  }) {
    this.#database = parts.database;
    this.#log = parts.log;
    this.#reserve = parts.reserve ?? { around: (work) => work() };
    const root = path.join(parts.dataRoot, 'content');
    this.#blobs = path.join(root, 'sha256');
    this.#ingests = path.join(root, 'ingest');
    for (const folder of [this.#blobs, this.#ingests]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#writeOut = parts.writeOut;
    this.#reach = parts.reach ?? (() => undefined);
    this.#nowMs = parts.nowMs;
    this.#tidy();
  }

  find(digest: Digest): Blob | null {
    const row = this.#database.sql.prepare('SELECT size_bytes FROM blobs WHERE digest = ?').get(digest);
    return row === undefined ? null : { digest, sizeBytes: Number(row['size_bytes']), file: this.#fileOf(digest) };
  }

  findOf(diffId: DiffId): readonly Blob[] {
    return this.#database.sql
      .prepare('SELECT digest FROM layer_blobs WHERE diff_id = ?')
      .all(diffId)
      .flatMap((row) => this.find(parseDigest(String(row['digest']))) ?? []);
  }

  async ingest(request: {
    readonly digest: Digest;
    readonly sizeBytes: number | null;
    readonly signal: AbortSignal;
  }): Promise<Ingest> {
    const { digest, sizeBytes, signal } = request;
    const leave = await this.#turn(digest, signal);
    try {
      const blob = this.find(digest);
      if (blob !== null) return completeIngest(blob, leave);
      return await IngestFile.open({
        digest,
        sizeBytes,
        file: path.join(this.#ingests, hexOf(digest)),
        finalFile: this.#fileOf(digest),
        spare: () => this.collect({ isSparing: true }),
        publish: (size) => Promise.resolve(this.#publish(digest, size)),
        onEnd: leave,
        signal,
      });
    } catch (error) {
      leave();
      throw error;
    }
  }

  hold(digests: readonly Digest[]): Disposable {
    for (const digest of digests) this.#holds.set(digest, (this.#holds.get(digest) ?? 0) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        for (const digest of digests) {
          const left = (this.#holds.get(digest) ?? 1) - 1;
          if (left === 0) this.#holds.delete(digest);
          else this.#holds.set(digest, left);
        }
      },
    };
  }

  async collect(
    options: { readonly isSparing: boolean; readonly isThorough?: boolean } = { isSparing: false },
  ): Promise<number> {
    const { isSparing, isThorough = false } = options;
    let freedBytes = 0;
    const gone: { readonly digest: Digest; readonly aside: string }[] = [];
    for (const { digest, sizeBytes, isKnown } of this.#needless(isSparing ? 'sparing' : 'all')) {
      // Of a pull that has not come to its end: the next try will want it.
      if (!isKnown && !isSparing && !isThorough && this.#isYoung(this.#fileOf(digest))) continue;
      // Out of the way at once, so that the same blob can come again; a crash before the row goes is mended at boot.
      const aside = path.join(this.#ingests, `${trash}${hexOf(digest)}`);
      renameSync(this.#fileOf(digest), aside);
      gone.push({ digest, aside });
      freedBytes += sizeBytes;
    }
    if (gone.length > 0) this.#reach('blobs:aside');
    const remove = this.#database.sql.prepare('DELETE FROM blobs WHERE digest = ?');
    if (gone.length > 0) {
      this.#reserve.around(() =>
        this.#database.transaction(() => gone.forEach(({ digest }) => remove.run(digest)), 'ordered'),
      );
    }
    if (gone.length > 0) this.#reach('blobs:forgotten');
    for (const { aside } of gone) await rm(aside, { force: true });
    this.#forgetRelations();
    return freedBytes + (isThorough ? this.#removeIngests(() => true) : 0);
  }

  collectable(): { readonly copies: ContentSum; readonly unfinished: ContentSum } {
    const needless = this.#needless('sparing');
    const ingests = this.#idleIngests().map((file) => ({ sizeBytes: statSync(file).size }));
    return {
      copies: sumOf(needless.filter(({ isKnown }) => isKnown)),
      unfinished: sumOf([...needless.filter(({ isKnown }) => !isKnown), ...ingests]),
    };
  }

  /** Blobs that nobody uses and no layer of the store needs; `sparing`: also those whose layers can be put together again. */
  #needless(how: 'all' | 'sparing'): readonly {
    readonly digest: Digest;
    readonly sizeBytes: number;
    /** Some image says what it is of. */
    readonly isKnown: boolean;
  }[] {
    return this.#database.sql
      .prepare(
        `SELECT digest, size_bytes, EXISTS (SELECT 1 FROM layer_blobs WHERE digest = blob.digest) AS is_known
           FROM blobs AS blob
          WHERE NOT EXISTS (SELECT 1 FROM layer_blobs JOIN layers USING (diff_id)
                             WHERE layer_blobs.digest = blob.digest AND (? = 0 OR layers.recipe_bytes IS NULL))`,
      )
      .all(how === 'sparing' ? 1 : 0)
      .map((row) => ({
        digest: parseDigest(String(row['digest'])),
        sizeBytes: Number(row['size_bytes']),
        isKnown: row['is_known'] === 1,
      }))
      .filter(({ digest }) => !this.#isInUse(digest));
  }

  /** Absolute paths of those that nobody writes. */
  #idleIngests(): readonly string[] {
    return readdirSync(this.#ingests)
      .filter((name) => !/^[0-9a-f]{64}$/.test(name) || !this.#isInUse(parseDigest(`sha256:${name}`)))
      .map((name) => path.join(this.#ingests, name));
  }

  /** Those that nobody writes. Returns their bytes. */
  #removeIngests(isWanted: (file: string) => boolean): number {
    let freedBytes = 0;
    for (const file of this.#idleIngests()) {
      if (!isWanted(file)) continue;
      freedBytes += statSync(file).size;
      rmSync(file, { force: true });
    }
    return freedBytes;
  }

  #isYoung(file: string): boolean {
    return this.#nowMs() - statSync(file).mtimeMs <= keptMs;
  }

  /** What is known of blobs whose layers are gone, and which are gone themselves. */
  #forgetRelations(): void {
    const stale = this.#database.sql
      .prepare(
        `SELECT diff_id, digest FROM layer_blobs AS known
          WHERE NOT EXISTS (SELECT 1 FROM layers WHERE diff_id = known.diff_id)
            AND NOT EXISTS (SELECT 1 FROM blobs WHERE digest = known.digest)`,
      )
      .all()
      .filter((row) => !this.#isInUse(parseDigest(String(row['digest']))));
    if (stale.length === 0) return;
    this.#reserve.around(() => this.#forget(stale));
  }

  #forget(stale: readonly Readonly<Record<string, unknown>>[]): void {
    this.#database.transaction(() => {
      const { sql } = this.#database;
      for (const { diff_id: diffId, digest } of stale) {
        sql.prepare('DELETE FROM layer_blobs WHERE diff_id = ? AND digest = ?').run(String(diffId), String(digest));
      }
      sql.exec(
        'DELETE FROM blob_places WHERE NOT EXISTS (SELECT 1 FROM layer_blobs WHERE digest = blob_places.digest)',
      );
    });
  }

  #isInUse(digest: Digest): boolean {
    return this.#holds.has(digest) || this.#writers.has(digest);
  }

  /** Waits for the writers before; returns how to end one's own turn. */
  async #turn(digest: Digest, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const before = this.#writers.get(digest);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const last = Promise.all([before, ended]).then(() => {
      if (this.#writers.get(digest) === last) this.#writers.delete(digest);
    });
    this.#writers.set(digest, last);
    if (before === undefined) return end;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([before, aborted]);
      return end;
    } catch (error) {
      end();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** One rename, then the row: after a crash between the two the file has no row, and is taken up as an ingest. */
  #publish(digest: Digest, sizeBytes: number): Blob {
    const file = this.#fileOf(digest);
    renameSync(path.join(this.#ingests, hexOf(digest)), file);
    const mark = this.#writeOut.mark(this.#settle);
    const insert = this.#database.sql.prepare('INSERT INTO blobs (digest, size_bytes, unwritten) VALUES (?, ?, ?)');
    this.#database.transaction(() => insert.run(digest, sizeBytes, mark), 'ordered');
    return { digest, sizeBytes, file };
  }

  /** The file of a lost one is an ingest from the next boot on: what is there of it is hashed again. */
  readonly #settle: Settle = (mark, outcome) => {
    const { sql } = this.#database;
    if (outcome === 'written') sql.prepare('UPDATE blobs SET unwritten = NULL WHERE unwritten = ?').run(mark);
    else sql.prepare('DELETE FROM blobs WHERE unwritten = ?').run(mark);
  };

  #fileOf(digest: Digest): string {
    return path.join(this.#blobs, hexOf(digest));
  }

  #tidy(): void {
    const marked = this.#database.sql.prepare('SELECT unwritten FROM blobs WHERE unwritten IS NOT NULL').all();
    for (const row of marked) this.#writeOut.takeUp(String(row['unwritten']), this.#settle);
    const rows = this.#database.sql.prepare('SELECT digest FROM blobs').all();
    const known = new Set(rows.map((row) => hexOf(parseDigest(String(row['digest'])))));
    for (const name of readdirSync(this.#blobs)) {
      if (known.delete(name)) continue;
      renameSync(path.join(this.#blobs, name), path.join(this.#ingests, name));
    }
    for (const lost of known) {
      this.#log.warn('a blob is gone from the disk: it is fetched again when it is needed', { digest: lost });
      this.#database.sql.prepare('DELETE FROM blobs WHERE digest = ?').run(`sha256:${lost}`);
    }
    this.#removeIngests((file) => path.basename(file).startsWith(trash) || !this.#isYoung(file));
  }
}

function sumOf(things: readonly { readonly sizeBytes: number }[]): ContentSum {
  return { count: things.length, bytes: things.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}
