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
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw invalid(`${dataRoot} is used by another engine: stop that one, or give another --data-root`, {
      cause: error,
    });
  }
  return { [Symbol.dispose]: () => lock.close() };
}
