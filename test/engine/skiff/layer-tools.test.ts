import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SkiffImageLayers, SkiffSquashed, SkiffTree, SkiffTreeNode } from '../../../api/skiff.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { exportedTree, type ExportedFile } from '../exported-tree.ts';
import { loadLayers } from '../layered-image.ts';
import { randomLayers } from '../random-layers.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

/** What the engine itself puts into every container. */
const ofTheEngine = ['.dockerenv', 'dev', 'etc', 'proc', 'sys'];

describeWith(['linux', 'root', { program: 'crun' }], 'layer tools: random stacks of layers', () => {
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine();
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const ask = async <T>(path: string, method = 'GET'): Promise<T> => {
    const { status, text } = await call(engine.socket, method, path);
    expect(status, text).toBeLessThan(300);
    return JSON.parse(text) as T;
  };
  const seen = async (image: string): Promise<ReadonlyMap<string, ExportedFile>> =>
    new Map(
      [...(await exportedTree(engine.socket, image))].filter(([path]) => {
        const [first = ''] = path.split('/');
        return first !== '' && !ofTheEngine.includes(first);
      }),
    );

  const seeds = [1077, 1308, 1539, 1693];
  describe.each(seeds)('seed %i', (seed) => {
    const name = `random:${seed}`;
    const layers = randomLayers(seed, 5);
    beforeAll(() => loadLayers(engine.socket, { name, layers }));

    it('the explorer shows the tree that a container of the image sees', async () => {
      const { node } = await ask<SkiffTree>(`/skiff/v1/images/${name}/tree?depth=64&limit=2000`);
      const shown = new Map([...flatten(node)].map(([path, file]) => [path, withoutLinks(file)]));
      const real = new Map([...(await seen(name))].map(([path, file]) => [path, asShown(file)]));
      expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(real));
    });

    it.each([
      ['flatten', 'flatten'],
      ['a squash in the middle', 'squash?from=1&to=3'],
      ['a squash at the top', 'squash?from=2'],
      ['a squash at the bottom', 'squash?to=2'],
    ])('%s keeps every name, look and byte', async (_, verb) => {
      const tag = `squashed:${seed}`;
      const made = await ask<SkiffSquashed>(
        `/skiff/v1/images/${name}/${verb}${verb.includes('?') ? '&' : '?'}tag=${tag}`,
        'POST',
      );
      expect(comparable(await seen(tag))).toEqual(comparable(await seen(name)));
      const again = await ask<SkiffSquashed>(`/skiff/v1/images/${name}/${verb}`, 'POST');
      expect(again.id).toBe(made.id);
      const { layers: left } = await ask<SkiffImageLayers>(`/skiff/v1/images/${tag}/layers`);
      expect(left).toHaveLength(made.layersAfter);
    });

    it('sizes of the layers are those of the store, and waste is what no container sees', async () => {
      const { sizeBytes, wastedBytes } = await ask<SkiffImageLayers>(`/skiff/v1/images/${name}/layers`);
      const { Size } = await ask<{ Size: number }>(`/images/${name}/json`);
      expect(sizeBytes).toBe(Size);
      const bytes = [...(await seen(name)).values()].reduce((sum, file) => sum + file.sizeBytes, 0);
      expect(sizeBytes - wastedBytes).toBe(bytes);
    });
  });
});

function* flatten(node: SkiffTreeNode, prefix = ''): Generator<[string, SkiffTreeNode], void, void> {
  for (const child of node.children ?? []) {
    if (child.change === 'removed') continue;
    const bytes =
      child.nameBytes === undefined
        ? Buffer.from(child.name).toString('latin1')
        : Buffer.from(child.nameBytes, 'base64').toString('latin1');
    const path = `${prefix}${bytes}`;
    yield [path, child];
    yield* flatten(child, `${path}/`);
  }
}

interface Shown {
  readonly kind: string;
  readonly mode: number;
  readonly owner: string;
  readonly link: string;
}

function withoutLinks(node: SkiffTreeNode): Shown {
  const { kind, mode, userId, groupId } = node;
  return { kind, mode, owner: `${userId}:${groupId}`, link: kind === 'symlink' ? (node.linkTarget ?? '') : '' };
}

/** Which name of a file is its first depends on who walks. */
function asShown({ kind, mode, userId, groupId, link }: ExportedFile): Shown {
  const shown = kind === 'hardlink' ? 'file' : kind;
  return { kind: shown, mode, owner: `${userId}:${groupId}`, link: kind === 'symlink' ? link : '' };
}

function comparable(tree: ReadonlyMap<string, ExportedFile>): Record<string, unknown> {
  return Object.fromEntries([...tree].map(([path, file]) => [path, { ...file, modifiedNs: String(file.modifiedNs) }]));
}
