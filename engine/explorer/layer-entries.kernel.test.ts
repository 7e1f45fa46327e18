import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeNodeAt, setAttributeAt } from '../kernel/files.ts';
import { describeWith } from '../../test/skip.ts';
import { entriesOfFolder } from './layer-entries.ts';
import { applyLayer, emptyTree, type StackNode } from './stack-tree.ts';

/** Layers of older engines have no recipe: what the other tests show by recipes, these show by folders. */
describeWith(['linux', 'root'], 'layers that are read from their folders', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-entries-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const layer = (name: string, files: readonly string[]): string => {
    const root = path.join(folder, name);
    mkdirSync(root);
    for (const file of files) {
      if (file.endsWith('/')) mkdirSync(path.join(root, file), { recursive: true });
      else writeFileSync(path.join(root, file), file);
    }
    return root;
  };
  const inside = (root: string, use: (directory: number) => void): void => {
    const directory = openSync(root, constants.O_DIRECTORY);
    try {
      use(directory);
    } finally {
      closeSync(directory);
    }
  };
  const shown = (node: StackNode, prefix = ''): readonly string[] =>
    [...(node.children ?? [])]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, child]) => [`${prefix}${name}`, ...shown(child, `${prefix}${name}/`)]);

  it('whiteouts and opaque directories hide what is below them, and what a layer brings itself stays', () => {
    const low = layer('low', ['d/', 'd/old', 'e/', 'e/old', 'gone', 'kept']);
    const top = layer('top', ['d/', 'd/new', 'e/']);
    inside(top, (directory) => {
      makeNodeAt(directory, 'gone', { mode: constants.S_IFCHR, major: 0, minor: 0 });
      setAttributeAt(directory, 'd', { key: 'trusted.overlay.opaque', value: Buffer.from('y') });
    });
    const below = applyLayer(emptyTree, entriesOfFolder(low));
    const tree = applyLayer(below, entriesOfFolder(top));
    expect(shown(tree.root)).toEqual(['d', 'd/new', 'e', 'e/old', 'kept']);
    expect(shown(below.root)).toEqual(['d', 'd/old', 'e', 'e/old', 'gone', 'kept']);
    expect(tree.root.children?.get('kept')).toBe(below.root.children?.get('kept'));
  });

  it('sizes add up, and bytes of the topmost layer are its own', () => {
    const below = applyLayer(emptyTree, entriesOfFolder(layer('low', ['a', 'd/', 'd/bb'])));
    const tree = applyLayer(below, entriesOfFolder(layer('top', ['d/', 'd/ccc'])));
    expect([below.layerBytes, tree.layerBytes, tree.root.totalBytes, tree.root.totalFiles]).toEqual([5, 5, 10, 3]);
  });
});
