import { describe, expect, it } from 'vitest';
import { parseDigest } from '../model/ids.ts';
import { mergedConfig } from './merged-config.ts';

const digest = (letter: string): ReturnType<typeof parseDigest> => parseDigest(`sha256:${letter.repeat(64)}`);

describe('the config of a squashed image', () => {
  const source = digest('9');
  const diffId = digest('f');
  const configOf = (history: readonly object[], layers: readonly string[]): string =>
    JSON.stringify({
      architecture: 'amd64',
      config: { Cmd: ['sh'], Env: ['A=1'] },
      'moby.buildkit.something': { kept: true },
      rootfs: { type: 'layers', diff_ids: layers.map(digest) },
      history,
    });
  const merged = (text: string, range: { from: number; to: number }): Record<string, unknown> =>
    JSON.parse(mergedConfig(text, { source, range, diffId })) as Record<string, unknown>;

  it('keeps every merged step, as one without a layer, and tells behind them what was merged', () => {
    const text = configOf(
      [
        { created_by: 'ADD', created: '2024-01-01T00:00:00Z' },
        { created_by: 'ENV', empty_layer: true },
        { created_by: 'RUN one', created: '2024-01-02T00:00:00Z' },
        { created_by: 'RUN two', created: '2024-01-03T00:00:00Z', comment: 'kept' },
        { created_by: 'CMD', empty_layer: true },
        { created_by: 'COPY' },
      ],
      ['a', 'b', 'c', 'd'],
    );
    const config = merged(text, { from: 1, to: 2 });
    expect(config['rootfs']).toEqual({ type: 'layers', diff_ids: [digest('a'), diffId, digest('d')] });
    expect(config['history']).toEqual([
      { created_by: 'ADD', created: '2024-01-01T00:00:00Z' },
      { created_by: 'ENV', empty_layer: true },
      { created_by: 'RUN one', created: '2024-01-02T00:00:00Z', empty_layer: true },
      { created_by: 'RUN two', created: '2024-01-03T00:00:00Z', comment: 'kept', empty_layer: true },
      {
        created: '2024-01-03T00:00:00Z',
        created_by: `skiff squash: layers 1 to 2 of ${source}`,
        comment: 'merges 2 layers',
      },
      { created_by: 'CMD', empty_layer: true },
      { created_by: 'COPY' },
    ]);
    expect(config).toMatchObject({ config: { Cmd: ['sh'], Env: ['A=1'] }, 'moby.buildkit.something': { kept: true } });
  });

  it.each([
    ['one that is too short', [{ created_by: 'only' }]],
    ['none', []],
  ])('a history that does not fit its layers (%s) still has as many layers as the image', (_, history) => {
    const config = merged(configOf(history, ['a', 'b', 'c', 'd']), { from: 1, to: 2 });
    const steps = config['history'] as readonly Record<string, unknown>[];
    expect(steps.filter((step) => step['empty_layer'] !== true)).toHaveLength(3);
  });

  it('the same image and range give the same text', () => {
    const text = configOf([], ['a', 'b']);
    const ask = (): string => mergedConfig(text, { source, range: { from: 0, to: 1 }, diffId });
    expect(ask()).toBe(ask());
  });
});
