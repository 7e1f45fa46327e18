/** Paths inside a container's tree, as clients write them. Byte strings: one character for each byte. */
import { closeSync, constants } from 'node:fs';
import { isCode, makeDirectoryAt, oPath, openAt, openInRoot, readLinkAt, statAt } from '../kernel/files.ts';
import { invalid } from '../model/errors.ts';

export interface InsidePath {
  /** Without the root: `etc/hosts`; `.` for the root itself. */
  readonly relative: string;
  /** As docker names what is there: the last part, `.` when the path ends in `/.`, `/` for the root. */
  readonly name: string;
  /** It ends in `/` or `/.`: a directory is meant, and a link is followed. */
  readonly isDirectoryMeant: boolean;
}

/** `..` is taken back as the path says it, before any link is looked at, and never leads above the root. Throws `invalid` for what no path can be. */
export function insidePath(text: string): InsidePath {
  if (text.includes('\0')) throw invalid('invalid path: it holds a zero byte');
  const parts = partsOf(Buffer.from(text).toString('latin1'));
  const endsInDot = text === '.' || text.endsWith('/.');
  const last = parts.at(-1);
  return {
    relative: parts.join('/') || '.',
    name: endsInDot ? '.' : (last ?? '/'),
    isDirectoryMeant: endsInDot || text.endsWith('/') || last === undefined,
  };
}

export function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

const mostLinks = 255;

/** Where a path leads when every link is followed, as text; as far as it goes where something is missing. Only to be shown, never to be opened. */
export function whereItLeads(root: number, relative: string): string {
  const done: string[] = [];
  const left = partsOf(relative);
  for (let links = 0; left.length > 0;) {
    const part = left.shift() ?? '.';
    if (part === '..') {
      done.pop();
      continue;
    }
    const link = linkAt(root, done, part);
    if (link === null) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > mostLinks) throw invalid('too many links');
    if (link.startsWith('/')) done.length = 0;
    left.unshift(...link.split('/').filter((piece) => piece !== '' && piece !== '.'));
  }
  return Buffer.from(`/${done.join('/')}`, 'latin1').toString('utf8');
}

function linkAt(root: number, directory: readonly string[], name: string): string | null {
  let fd: number;
  try {
    fd = openInRoot(root, directory.join('/') || '.', oPath | constants.O_DIRECTORY);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  }
  try {
    return statAt(fd, name)?.isSymbolicLink() === true ? readLinkAt(fd, name) : null;
  } finally {
    closeSync(fd);
  }
}

/**
 * Opens a directory below `root` (links in the way followed, inside), making what is missing of it: root's, mode 0755. A
 * link to what is not there is followed too: what it names is made. Throws ENOTDIR where something else is in the way.
 */
export function openOrMakeDirectory(root: number, parts: readonly string[]): number {
  try {
    return openInRoot(root, parts.join('/') || '.', constants.O_DIRECTORY);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
  return makeMissing(root, parts);
}

function makeMissing(root: number, parts: readonly string[]): number {
  const left = [...parts];
  const done: string[] = [];
  let at = openAt(root, '.', constants.O_DIRECTORY);
  try {
    for (let links = 0; left.length > 0;) {
      const name = left.shift() ?? '.';
      const next = openOrMake(root, { at, done, name });
      if (typeof next === 'number') {
        closeSync(at);
        at = next;
        done.push(name);
        continue;
      }
      links += 1;
      if (links > mostLinks) throw invalid('too many links');
      const target = next.link.startsWith('/') ? partsOf(next.link) : partsOf([...done, next.link].join('/'));
      left.unshift(...target);
      done.length = 0;
      closeSync(at);
      at = openAt(root, '.', constants.O_DIRECTORY);
    }
    return at;
  } catch (error) {
    closeSync(at);
    throw error;
  }
}

/** The directory, or the link in its place that leads to none. */
function openOrMake(
  root: number,
  step: { readonly at: number; readonly done: readonly string[]; readonly name: string },
): number | { readonly link: string } {
  const { at, done, name } = step;
  try {
    return openInRoot(root, [...done, name].join('/'), constants.O_DIRECTORY);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
  try {
    makeDirectoryAt(at, name, 0o755);
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
    if (statAt(at, name)?.isSymbolicLink() === true) return { link: readLinkAt(at, name) };
  }
  return openAt(at, name, constants.O_DIRECTORY);
}
