import type { FileAttributes } from '../../api/shares/attributes.ts';

/** A file or folder that the kernel knows, by a number of ours. */
export interface Node {
  readonly id: number;
  parent: Node | null;
  name: string;
  /** How often the kernel was told of it; it gives that back. */
  lookups: number;
  /** As last heard. */
  file: FileAttributes;
  /** What its pages in the kernel's memory were read from: as it was when it was opened last. */
  openedAs: FileAttributes | null;
  /** Removed, or another one has its name; what holds it open still uses it. */
  isGone: boolean;
  readonly children: Map<string, Node>;
}

const rootId = 1;
const typeBits = 0o170000;

/** Which numbers the kernel knows files by. A name whose file was replaced by another gets another number: an inode never changes what it is. */
export class Nodes {
  readonly #byId = new Map<number, Node>();
  readonly #share: string;
  readonly root: Node;
  #lastId = rootId;

  /** `share`: its id, the first name of every path. */
  constructor(share: string) {
    this.#share = share;
    this.root = nodeOf({ id: rootId, parent: null, name: '', file: unknownFolder });
    this.#byId.set(rootId, this.root);
  }

  get(id: number): Node | undefined {
    return this.#byId.get(id);
  }

  /** Its path in the stream to the user's computer; null when it has none any more. */
  path(node: Node): string | null {
    const names: string[] = [];
    for (let at = node; at.parent !== null; at = at.parent) {
      if (at.isGone) return null;
      names.push(at.name);
    }
    return `/${[this.#share, ...names.reverse()].join('/')}`;
  }

  /** The same within the share, without a slash in front. */
  inShare(node: Node): string | null {
    return this.path(node)?.slice(this.#share.length + 2) ?? null;
  }

  /** The path of something in a folder. */
  pathIn(folder: Node, name: string): string | null {
    const path = this.path(folder);
    return path === null ? null : `${path}/${name}`;
  }

  /** The kernel is told of it once more. */
  found(parent: Node, name: string, file: FileAttributes): Node {
    const known = parent.children.get(name);
    if (known !== undefined && known.file.inode === file.inode && isSameType(known.file, file)) {
      known.file = file;
      known.lookups += 1;
      return known;
    }
    if (known !== undefined) this.gone(known);
    this.#lastId += 1;
    const node = nodeOf({ id: this.#lastId, parent, name, file });
    node.lookups = 1;
    this.#byId.set(node.id, node);
    parent.children.set(name, node);
    return node;
  }

  gone(node: Node): void {
    if (node.isGone || node.parent === null) return;
    node.isGone = true;
    node.parent.children.delete(node.name);
  }

  moved(
    from: { readonly folder: Node; readonly name: string },
    to: { readonly folder: Node; readonly name: string },
  ): void {
    const replaced = to.folder.children.get(to.name);
    const node = from.folder.children.get(from.name);
    if (replaced !== undefined && replaced !== node) this.gone(replaced);
    if (node === undefined) return;
    from.folder.children.delete(from.name);
    node.parent = to.folder;
    node.name = to.name;
    to.folder.children.set(to.name, node);
  }

  /** The kernel gives back what it was told. */
  forget(id: number, times: number): void {
    const node = this.#byId.get(id);
    if (node === undefined || id === rootId) return;
    node.lookups -= times;
    if (node.lookups > 0) return;
    this.#byId.delete(id);
    if (!node.isGone) node.parent?.children.delete(node.name);
    node.isGone = true;
  }

  /** Walks what is known; undefined as soon as something is not. */
  known(names: readonly string[]): Node | undefined {
    return names.reduce<Node | undefined>((node, name) => node?.children.get(name), this.root);
  }
}

function nodeOf(of: Pick<Node, 'id' | 'parent' | 'name' | 'file'>): Node {
  return { ...of, lookups: 0, openedAs: null, isGone: false, children: new Map() };
}

function isSameType(one: FileAttributes, other: FileAttributes): boolean {
  return (one.mode & typeBits) === (other.mode & typeBits);
}

const unknownFolder: FileAttributes = {
  mode: 0o40755,
  sizeBytes: 0,
  inode: rootId,
  links: 1,
  blocks: 0,
  accessedMs: 0,
  modifiedMs: 0,
  changedMs: 0,
};
