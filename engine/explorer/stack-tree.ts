/**
 * The tree that a stack of layers shows, as a value that never changes. A layer on top gives a new tree, which shares with
 * the one below every directory that the layer did not touch: so all states of an image's history cost little more than the
 * last one, and two states are compared by walking only where they are not the very same object.
 */
import type { SkiffFileKind } from '../../api/skiff.ts';
import { internal } from '../model/errors.ts';
import type { LayerEntry } from './layer-entries.ts';

/** The bytes of a file, shared by all of its names. */
export interface Content {
  readonly bytes: number;
  /** Index of the layer that they lie in. */
  readonly layer: number;
}

/** Written only while the tree is built that it is new in. */
export interface StackNode {
  readonly kind: SkiffFileKind;
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  readonly modifiedNs: bigint;
  /** Where a symlink leads; first name of a further name of a file. */
  readonly link: string;
  readonly isHardLink: boolean;
  readonly device: string;
  /** Index of the layer that it comes from. */
  readonly layer: number;
  /** Of a file, else null. */
  readonly content: Content | null;
  /** Of a directory, else null. Names are byte strings. */
  readonly children: ReadonlyMap<string, StackNode> | null;
  readonly totalBytes: number;
  readonly totalFiles: number;
}

export interface StackTree {
  readonly root: StackNode;
  /** Index of the topmost layer; -1 for no layer at all. */
  readonly layer: number;
  readonly below: StackTree | null;
  /** Objects that this tree does not share with the one below: what it costs. */
  readonly weight: number;
  /** Bytes of the files that the topmost layer brought. */
  readonly layerBytes: number;
}

type Building = {
  -readonly [K in keyof StackNode]: K extends 'children' ? Map<string, Building> | null : StackNode[K];
};

export const emptyTree: StackTree = {
  root: {
    kind: 'directory',
    mode: 0o755,
    userId: 0,
    groupId: 0,
    modifiedNs: 0n,
    link: '',
    isHardLink: false,
    device: '',
    layer: 0,
    content: null,
    children: new Map(),
    totalBytes: 0,
    totalFiles: 0,
  },
  layer: -1,
  below: null,
  weight: 1,
  layerBytes: 0,
};

export function applyLayer(below: StackTree, entries: Iterable<LayerEntry>): StackTree {
  const builder = new Builder(below);
  for (const entry of entries) builder.take(entry);
  return builder.finish();
}

class Builder {
  readonly #below: StackTree;
  readonly #layer: number;
  readonly #root: Building;
  /** Objects of this tree alone: copies of directories below, and what the layer brought. */
  readonly #own = new Set<Building>();
  readonly #brought = new Set<Building>();
  readonly #lateLinks: LayerEntry[] = [];
  #layerBytes = 0;

  constructor(below: StackTree) {
    this.#below = below;
    this.#layer = below.layer + 1;
    this.#root = this.#copy(below.root as Building); // read-only from outside of the builder that made it
  }

  take(entry: LayerEntry): void {
    const name = entry.path.at(-1);
    if (name === undefined) {
      if (entry.kind === 'opaque') this.#hideInside(this.#root);
      else if (entry.kind === 'directory') Object.assign(this.#root, lookOf(entry), { layer: this.#layer });
      return;
    }
    if (entry.kind === 'opaque') return this.#hideInside(this.#directory(entry.path));
    const parent = this.#directory(entry.path.slice(0, -1));
    const children = childrenOf(parent);
    const before = children.get(name);
    switch (entry.kind) {
      case 'whiteout':
        if (before !== undefined) this.#hide(children, name, before);
        return;
      case 'directory':
        return this.#takeDirectory(children, name, entry);
      case 'hardlink': {
        const target = this.#find(entry.link.split('/'));
        // A file of the layers below is copied up, when all that hides something has been seen.
        if (target !== null && this.#brought.has(target)) this.#link(children, name, { entry, target });
        else this.#lateLinks.push(entry);
        return;
      }
      default:
        children.set(name, this.#bring(entry));
    }
  }

  finish(): StackTree {
    for (const entry of this.#lateLinks) this.#linkLate(entry);
    this.#sum(this.#root);
    const { root, weight } = { root: this.#root, weight: this.#own.size };
    return { root, layer: this.#layer, below: this.#below, weight, layerBytes: this.#layerBytes };
  }

  #takeDirectory(children: Map<string, Building>, name: string, entry: LayerEntry): void {
    const before = children.get(name);
    if (before?.kind !== 'directory') {
      children.set(name, this.#bring(entry));
      return;
    }
    const own = this.#ownChild(children, name, before);
    const isSame =
      own.mode === entry.mode &&
      own.userId === entry.userId &&
      own.groupId === entry.groupId &&
      own.modifiedNs === entry.modifiedNs;
    if (!isSame) Object.assign(own, lookOf(entry), { layer: this.#layer });
  }

  #linkLate(entry: LayerEntry): void {
    const path = entry.link.split('/');
    const lower = this.#find(path);
    if (lower === null || lower.kind === 'directory') {
      throw internal(`the index of a layer names a hard link to ${JSON.stringify(entry.link)}, which is nowhere`);
    }
    const targets = childrenOf(this.#directory(path.slice(0, -1)));
    const target = this.#brought.has(lower) ? lower : this.#copyUp(lower);
    targets.set(path.at(-1) ?? '', target);
    const children = childrenOf(this.#directory(entry.path.slice(0, -1)));
    this.#link(children, entry.path.at(-1) ?? '', { entry, target });
  }

  #copyUp(lower: Building): Building {
    const content = lower.content === null ? null : { bytes: lower.content.bytes, layer: this.#layer };
    const copy = { ...lower, content, layer: this.#layer, isHardLink: false };
    this.#own.add(copy);
    this.#brought.add(copy);
    return copy;
  }

  #link(
    children: Map<string, Building>,
    name: string,
    link: { readonly entry: LayerEntry; readonly target: Building },
  ): void {
    const { entry, target } = link;
    const node = { ...target, isHardLink: true, link: target.kind === 'symlink' ? target.link : entry.link };
    this.#own.add(node);
    this.#brought.add(node);
    children.set(name, node);
  }

  #bring(entry: LayerEntry): Building {
    const kind = entry.kind as SkiffFileKind; // marks and hard links are handled by who calls
    const node: Building = {
      ...lookOf(entry),
      kind,
      link: entry.link,
      isHardLink: false,
      device: entry.device,
      layer: this.#layer,
      content: kind === 'file' ? { bytes: entry.sizeBytes, layer: this.#layer } : null,
      children: kind === 'directory' ? new Map() : null,
      totalBytes: 0,
      totalFiles: 0,
    };
    this.#own.add(node);
    this.#brought.add(node);
    return node;
  }

  /** What the layer itself has under this name stays. */
  #hide(children: Map<string, Building>, name: string, node: Building): void {
    if (!this.#own.has(node)) children.delete(name);
    else if (node.kind === 'directory') this.#hideInside(node);
  }

  #hideInside(directory: Building): void {
    const children = childrenOf(directory);
    for (const [name, child] of [...children]) this.#hide(children, name, child);
  }

  /** A directory that this tree may write, made where it is missing. */
  #directory(path: readonly string[]): Building {
    let directory = this.#root;
    for (const name of path) {
      const children = childrenOf(directory);
      const child = children.get(name);
      if (child?.kind === 'directory') directory = this.#ownChild(children, name, child);
      else {
        directory = this.#bring({ ...impliedDirectory, path: [] });
        children.set(name, directory);
      }
    }
    return directory;
  }

  #ownChild(children: Map<string, Building>, name: string, child: Building): Building {
    if (this.#own.has(child)) return child;
    const copy = this.#copy(child);
    children.set(name, copy);
    return copy;
  }

  #copy(directory: Building): Building {
    const copy = { ...directory, children: new Map(childrenOf(directory)) };
    this.#own.add(copy);
    return copy;
  }

  #find(path: readonly string[]): Building | null {
    let node: Building | undefined = this.#root;
    for (const name of path) node = node?.children?.get(name);
    return node ?? null;
  }

  #sum(node: Building): void {
    if (!this.#own.has(node)) return;
    if (node.children === null) {
      node.totalBytes = node.isHardLink ? 0 : (node.content?.bytes ?? 0);
      node.totalFiles = 1;
      this.#layerBytes += node.totalBytes;
      return;
    }
    node.totalBytes = 0;
    node.totalFiles = 0;
    for (const child of node.children.values()) {
      this.#sum(child);
      node.totalBytes += child.totalBytes;
      node.totalFiles += child.totalFiles;
    }
  }
}

const impliedDirectory: LayerEntry = {
  path: [],
  kind: 'directory',
  mode: 0o755,
  userId: 0,
  groupId: 0,
  sizeBytes: 0,
  modifiedNs: 0n,
  link: '',
  device: '',
};

function lookOf(entry: LayerEntry): Pick<StackNode, 'mode' | 'userId' | 'groupId' | 'modifiedNs'> {
  const { mode, userId, groupId, modifiedNs } = entry;
  return { mode, userId, groupId, modifiedNs };
}

function childrenOf(directory: Building): Map<string, Building> {
  if (directory.children === null) throw internal('the index of a layer uses a file as a directory');
  return directory.children;
}
