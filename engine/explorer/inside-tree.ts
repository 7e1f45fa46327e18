/** Finding things in a tree as a process would whose `/` it is: links are followed in the index, never by the kernel. */
import { notFound } from '../model/errors.ts';
import type { StackNode } from './stack-tree.ts';

/** As many as Linux follows (source: path_resolution(7)). */
const mostLinks = 40;

export interface Found {
  /** Without links on the way; parts are byte strings. */
  readonly path: readonly string[];
  readonly node: StackNode;
}

/** `last`: whether a link at the end of the path is followed too. Throws `not-found`. */
export function findInTree(root: StackNode, path: string, last: 'follow' | 'keep'): Found {
  const wanted = partsOf(path);
  const done: Found[] = [{ path: [], node: root }];
  for (let links = 0; wanted.length > 0;) {
    const name = wanted.shift() ?? '';
    const here = done.at(-1) ?? { path: [], node: root };
    if (name === '..') {
      if (done.length > 1) done.pop();
      continue;
    }
    const child = here.node.children?.get(name);
    if (child === undefined) throw missing(path);
    if (child.kind === 'symlink' && (wanted.length > 0 || last === 'follow')) {
      links += 1;
      if (links > mostLinks) throw notFound(`${shown(path)}: too many levels of symbolic links`);
      if (child.link.startsWith('/')) done.length = 1;
      wanted.unshift(...partsOf(child.link));
      continue;
    }
    done.push({ path: [...here.path, name], node: child });
  }
  return done.at(-1) ?? { path: [], node: root };
}

/** A path of no more than `.`, `/` and empty parts is the root. */
export function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function missing(path: string): Error {
  return notFound(`no such file in this image: ${shown(path)}`);
}

function shown(path: string): string {
  return JSON.stringify(Buffer.from(path, 'latin1').toString('utf8'));
}
