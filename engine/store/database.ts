/**
 * The engine's one database. Everything that must survive a crash is a row here or a file that a row names; a file or
 * folder that no row names is garbage. Transactions are written with synchronous=FULL in WAL mode: when the call returns,
 * a power cut does not take it back. Those that say `ordered` are not waited for: no kill of the engine takes them back, a
 * power cut may, with all that came after them and nothing that came before.
 */
import { closeSync, fsync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { internal } from '../model/errors.ts';
import { migrations } from './migrations.ts';

/**
 * `ordered`: for what the computer's going down undoes anyway, and for what is followed by a synced transaction, or by
 * `written`, before anybody is told. A sync takes a third of a millisecond on a quiet disk, ten on a busy one, and hundreds
 * while layers are being written out; the next one covers it.
 */
export type Durability = 'synced' | 'ordered';

export interface Database extends Disposable {
  readonly sql: DatabaseSync;
  /** Runs `work` in one transaction: all of its rows or none. Not nestable. Default: `synced`. */
  transaction<T>(work: () => T, durability?: Durability): T;
  /** Resolves when no power cut takes back what was committed before. The disk is waited for on another thread, once for all who ask meanwhile. */
  written(): Promise<void>;
}

/** Opens (and makes, and migrates) `<dataRoot>/engine.db`. Refuses a database of a newer engine: an older one would lose what it does not know. */
export function openDatabase(dataRoot: string): Database {
  mkdirSync(dataRoot, { recursive: true, mode: 0o710 });
  const file = path.join(dataRoot, 'engine.db');
  const sql = new DatabaseSync(file);
  sql.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000;');
  // Pages of committed transactions lie in this file until they are in the other one.
  const log = sharedSync(`${file}-wal`);
  const database: Database = {
    sql,
    written: () => log.sync(),
    transaction(work, durability = 'synced') {
      if (durability === 'ordered') sql.exec('PRAGMA synchronous=NORMAL');
      sql.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        sql.exec('COMMIT');
        return result;
      } catch (error) {
        if (sql.isTransaction) sql.exec('ROLLBACK');
        throw error;
      } finally {
        if (durability === 'ordered') sql.exec('PRAGMA synchronous=FULL');
      }
    },
    [Symbol.dispose]: () => {
      log[Symbol.dispose]();
      sql.close();
    },
  };
  migrate(database, file);
  return database;
}

/** Who asks while one runs waits for the next: the one that runs may have begun before what is to be written. */
function sharedSync(file: string): Disposable & { sync(): Promise<void> } {
  let open: number | null = null;
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | null = null;
  return {
    sync() {
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = null;
          open ??= openSync(file, 'r');
          running = promisify(fsync)(open);
          return running;
        });
      return next;
    },
    [Symbol.dispose]() {
      if (open !== null) closeSync(open);
    },
  };
}

function migrate(database: Database, file: string): void {
  const row = database.sql.prepare('PRAGMA user_version').get();
  const version = Number(row?.['user_version'] ?? 0);
  if (version > migrations.length) {
    throw internal(
      `${file} was written by a newer engine (schema ${version}, this engine knows ${migrations.length}): start that one, or give another --data-root`,
    );
  }
  migrations.slice(version).forEach((migration, index) => {
    database.transaction(() => {
      database.sql.exec(migration);
      database.sql.exec(`PRAGMA user_version = ${version + index + 1}`);
    });
  });
}
