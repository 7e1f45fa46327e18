import { closeSync, constants, opendirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { openAt, removeDirectoryAt, renameAt, statAt, unlinkAt } from './files.ts';

/** A container may nest directories deeper than descriptors or the stack would bear: past this depth they are moved up first. */
const deepest = 64;

/**
 * Deletes `name` in the open directory with all that is below, walking by descriptors: a link is removed, never followed.
 * Does nothing when it is not there. Yields after every `step` removals, so that the main thread can let go.
 */
function* removingTree(directory: number, name: string, step = 100): Generator<void, void, void> {
  const waiting = [name];
  let moved = 0;
  let removed = 0;
  function* remove(parent: number, child: string, depth: number): Generator<void, void, void> {
    removed += 1;
    if (removed % step === 0) yield;
    const stats = statAt(parent, child);
    if (stats === null) return;
    if (!stats.isDirectory()) {
      unlinkAt(parent, child);
    } else if (depth === deepest) {
      moved += 1;
      const aside = `${name}.deep-${moved}`;
      renameAt({ directory: parent, name: child }, { directory, name: aside });
      waiting.push(aside);
    } else {
      yield* removeInside(parent, child, depth);
      removeDirectoryAt(parent, child);
    }
  }
  function* removeInside(parent: number, child: string, depth: number): Generator<void, void, void> {
    const inside = openAt(parent, child, constants.O_DIRECTORY | constants.O_RDONLY);
    try {
      // Removing while reading may hide entries from the reader on some file systems: read again until nothing is left.
      for (let isEmpty = false; !isEmpty;) {
        isEmpty = true;
        using entries = opendirSync(`/proc/self/fd/${inside}`, { encoding: 'latin1', bufferSize: step });
        for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
          isEmpty = false;
          yield* remove(inside, entry.name, depth + 1);
        }
      }
    } finally {
      closeSync(inside);
    }
  }
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) yield* remove(directory, next, 0);
}

/** At once: for workers. */
export function removeTreeSync(directory: number, name: string): void {
  for (const _ of removingTree(directory, name));
}

/** In slices, so that the event loop never stands still. */
export async function removeTree(directory: number, name: string): Promise<void> {
  for (const _ of removingTree(directory, name)) await setImmediate();
}
