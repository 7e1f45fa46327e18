import { readFileSync } from 'node:fs';

/** One line of /proc/self/mountinfo (source: proc_pid_mountinfo(5)). Paths are unescaped. */
export interface MountEntry {
  readonly id: number;
  readonly parentId: number;
  /** Which part of the file system is mounted: `/`, or a folder or file of it for bind mounts, `net:[4026532299]` for namespaces. */
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  /** `shared:N`, `master:N`, `unbindable`: whom it tells of its mounts, and of whose it hears. Empty: private. */
  readonly tags: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

/** What this process sees mounted, in the order of mounting. */
export function readMounts(): readonly MountEntry[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
}

export function parseMounts(text: string): readonly MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseMount);
}

function parseMount(line: string): MountEntry {
  const fields = line.split(' ');
  // Any number of optional fields (`shared:1`) stands before the dash.
  const dash = fields.indexOf('-', 6);
  const [id, parentId, , root, target, options] = fields;
  const [type, source, superOptions] = fields.slice(dash + 1);
  if (dash === -1 || root === undefined || target === undefined || type === undefined)
    throw new Error(`a line of /proc/self/mountinfo that cannot be read: ${line}`);
  return {
    id: Number(id),
    parentId: Number(parentId),
    root: unescape(root),
    target: unescape(target),
    options: (options ?? '').split(','),
    tags: fields.slice(6, dash),
    type,
    source: unescape(source ?? ''),
    superOptions: (superOptions ?? '').split(','),
  };
}

/** Space, tab, newline and backslash stand as `\040` and so on, byte by byte. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
