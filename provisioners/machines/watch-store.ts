import type { FSWatcher } from 'node:fs';
import { existsSync, mkdirSync, readdirSync, watch } from 'node:fs';
import { basename, join } from 'node:path';
import type { HomePaths } from '../store/home.ts';

/**
 * Tells of changes to any machine by watching the few files that show one: documents, agents' states, lock notes, pid
 * files. A machine's console log is written all the time and is left out. Watchers are for whole folders and not recursive,
 * for recursion on Linux would watch every file.
 */
export function watchStore(paths: HomePaths, listener: () => void): Disposable {
  const telling = new Set(['machine.json', 'agent.json', 'qemu.process.json', 'qemu.pid']);
  const folders = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | null = null;
  let isDisposed = false;
  // One change of a machine touches several files within a millisecond.
  const tell = (): void => {
    if (isDisposed) return;
    timer ??= setTimeout(() => {
      timer = null;
      follow();
      listener();
    }, 25);
  };
  const watchFolder = (folder: string, isTelling: (file: string | null) => boolean): FSWatcher => {
    const watcher = watch(folder, (_event, file) => {
      if (isTelling(file)) tell();
    });
    // A folder that is removed while it is watched; the folder above tells of that.
    watcher.on('error', () => watcher.close());
    return watcher;
  };
  const follow = (): void => {
    if (isDisposed) return;
    const present = existsSync(paths.machines)
      ? readdirSync(paths.machines, { withFileTypes: true }).flatMap((entry) =>
          entry.isDirectory() ? [entry.name] : [],
        )
      : [];
    for (const [name, watcher] of folders) {
      if (present.includes(name)) continue;
      watcher.close();
      folders.delete(name);
    }
    for (const name of present) {
      if (folders.has(name)) continue;
      try {
        folders.set(
          name,
          watchFolder(join(paths.machines, name), (file) => file === null || telling.has(basename(file))),
        );
      } catch {
        // It was removed since it was listed; its removal is told by the folder above.
      }
    }
  };
  mkdirSync(paths.machines, { recursive: true, mode: 0o700 });
  mkdirSync(paths.locks, { recursive: true, mode: 0o700 });
  const roots = [
    watchFolder(paths.machines, () => true),
    watchFolder(paths.locks, (file) => file === null || file.endsWith('.holder.json')),
  ];
  follow();
  return {
    [Symbol.dispose]() {
      isDisposed = true;
      if (timer !== null) clearTimeout(timer);
      for (const watcher of [...roots, ...folders.values()]) watcher.close();
      folders.clear();
    },
  };
}
