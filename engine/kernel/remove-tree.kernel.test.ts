import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { removeTree } from './remove-tree.ts';

describeWith(['linux'], 'trees that are removed', () => {
  let folder: string;
  let directory: number;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-remove-'));
    directory = openSync(folder, constants.O_DIRECTORY);
  });
  afterEach(() => {
    closeSync(directory);
    rmSync(folder, { recursive: true });
  });

  it.each<[what: string, make: (tree: string) => void]>([
    ['a few files', (tree) => ['a', 'b/c', 'b/d/e'].forEach((name) => writeFile(join(tree, name)))],
    ['many in one directory', (tree) => Array.from({ length: 300 }, (_, at) => writeFile(join(tree, `name-${at}`)))],
    ['many directories', (tree) => Array.from({ length: 60 }, (_, at) => writeFile(join(tree, `${at}`, 'file')))],
    ['a large file', (tree) => writeFile(join(tree, 'large'), Buffer.alloc(3 << 20, 1))],
    ['deeper than descriptors reach', (tree) => writeFile(join(tree, 'd/'.repeat(100), 'file'))],
  ])('go with all that is in them: %s', async (_, make) => {
    make(join(folder, 'tree'));
    await removeTree(directory, 'tree');
    expect(existsSync(join(folder, 'tree'))).toBe(false);
  });

  it('take nothing along that a link in them leads to, and need not be there', async () => {
    writeFile(join(folder, 'kept/file'));
    mkdirSync(join(folder, 'tree'));
    symlinkSync('../kept', join(folder, 'tree/link'));
    await removeTree(directory, 'tree');
    await removeTree(directory, 'tree');
    expect([existsSync(join(folder, 'tree')), existsSync(join(folder, 'kept/file'))]).toEqual([false, true]);
  });
});

function writeFile(path: string, content: Buffer | string = ''): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
}
