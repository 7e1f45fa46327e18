import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { invalid } from '../model/errors.ts';

/**
 * Holds `dataRoot` for this process: two engines on one would each undo what the other does. An exclusive transaction on a
 * database of its own is a lock of the operating system, which Node lacks otherwise; it goes with the process, however that ends.
 */
export function lockDataRoot(dataRoot: string): Disposable {
  mkdirSync(dataRoot, { recursive: true, mode: 0o710 });
  const lock = new DatabaseSync(path.join(dataRoot, 'lock.db'), { timeout: 0 });
  try {
    // Without a journal file: on a full disk there is no room for one, and an engine that cannot start cannot make room.
    lock.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw invalid(`${dataRoot} is used by another engine: stop that one, or give another --data-root`, {
      cause: error,
    });
  }
  return { [Symbol.dispose]: () => lock.close() };
}

/** Source: SQLite result codes, SQLITE_BUSY. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}
