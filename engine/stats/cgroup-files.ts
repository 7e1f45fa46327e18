/** What the kernel counts for one cgroup, read as it stands in its files; of a file that is not there nothing is known. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CgroupFiles {
  readonly version: 1 | 2;
  /** The text of a file of a controller (`memory`, `memory.stat`); null when the cgroup or the file is not there. */
  read(controller: string, file: string): string | null;
}

/** `path`: as in the spec, `/skiff-…/<id>`. With both versions mounted side by side the counters are those of version 1. */
export function cgroupFiles(path: string, root = '/sys/fs/cgroup'): CgroupFiles {
  const isUnified = existsSync(join(root, 'cgroup.controllers'));
  return {
    version: isUnified ? 2 : 1,
    read: (controller, file) => readIfThere(isUnified ? join(root, path, file) : join(root, controller, path, file)),
  };
}

/** A cgroup that goes while it is read answers ENODEV. */
function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'EOPNOTSUPP') return null;
    throw error;
  }
}

/** Lines of `name value`. */
export function pairsOf(text: string | null): Readonly<Record<string, number>> {
  const pairs: Record<string, number> = {};
  for (const line of (text ?? '').split('\n')) {
    const [name = '', value = ''] = line.split(' ');
    if (/^\d+$/.test(value)) pairs[name] = Number(value);
  }
  return pairs;
}

/** A file with one number; null when it is not there, or says `max`. */
export function numberOf(text: string | null): number | null {
  const trimmed = text?.trim() ?? '';
  return /^\d+$/.test(trimmed) ? Number(trimmed) : null;
}
