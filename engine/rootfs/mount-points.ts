import { closeSync, constants, openSync } from 'node:fs';
import { statAt } from '../kernel/files.ts';
import { invalid } from '../model/errors.ts';

/** What the runtime mounts over in every container. */
const mountPoints = ['dev', 'proc', 'sys'];

/**
 * The init layer has these as directories; a container's own layer may have put links in their places (a `docker cp` does),
 * and versions of the runtime have followed them out of the root (CVE-2026-47766). Throws `invalid`, in runc's words.
 */
export function assertMountPoints(root: string): void {
  const directory = openSync(root, constants.O_DIRECTORY);
  try {
    for (const name of mountPoints) {
      const found = statAt(directory, name);
      if (found !== null && !found.isDirectory())
        throw invalid(`filesystem ${JSON.stringify(name)} must be mounted on ordinary directory`);
    }
  } finally {
    closeSync(directory);
  }
}
