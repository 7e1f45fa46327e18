import { expect, it } from 'vitest';
import { LayerLines } from './layer-lines.ts';
import type { BoardStyle } from './layer-lines.ts';
import { plainText } from './show-transfer.ts';

const style: BoardStyle = { columns: 80, rows: 24, symbols: 'ascii', colors: 'off' };
const wide = { ...style, columns: 100 };
const at = (current: number, total: number): { current: number; total: number } => ({ current, total });

it('draws a bar for each layer that moves, and one line of the whole', () => {
  const lines = new LayerLines();
  lines.take({ id: 'latest', status: 'Pulling from team/app' });
  lines.take({ id: 'aaaaaaaaaaaa', status: 'Pulling fs layer', progressDetail: {} });
  lines.take({ id: 'bbbbbbbbbbbb', status: 'Waiting', progressDetail: {} });
  lines.take({ id: 'aaaaaaaaaaaa', status: 'Downloading', progressDetail: at(25_000_000, 100_000_000) });
  expect(lines.settled(wide)).toEqual(['latest: Pulling from team/app']);
  expect(lines.live(wide, 0)).toEqual([
    ' | aaaaaaaaaaaa  Downloading   =========>                               25MB/100MB',
    ' | bbbbbbbbbbbb  Waiting',
    '   0 of 2 done  25MB of 100MB',
  ]);
});

it('settles layers in their order, and with the texts that follow them', () => {
  const lines = new LayerLines();
  lines.take({ id: 'a', status: 'Downloading', progressDetail: at(5, 10) });
  lines.take({ id: 'b', status: 'Already exists', progressDetail: {} });
  expect(lines.settled(style)).toEqual([]);
  lines.take({ id: 'a', status: 'Pull complete', progressDetail: {} });
  expect(lines.settled(style)).toEqual([' + a             Pull complete  10B', ' + b             Already exists']);
  lines.take({ id: 'c', status: 'Waiting', progressDetail: {} });
  lines.take({ status: 'Digest: sha256:12' });
  expect(lines.settled(style)).toEqual([' | c             Waiting', 'Digest: sha256:12']);
  expect(lines.live(style, 0)).toEqual([]);
});

it('shows the speed of the last seconds', () => {
  const lines = new LayerLines();
  lines.take({ id: 'a', status: 'Downloading', progressDetail: at(1_000_000, 9_000_000) });
  lines.live(style, 0);
  lines.take({ id: 'a', status: 'Downloading', progressDetail: at(3_000_000, 9_000_000) });
  expect(lines.live(style, 1000).at(-1)).toBe('   0 of 1 done  3MB of 9MB  2MB/s');
});

it('never draws more than the screen has, nor wider, and shows what moves', () => {
  const lines = new LayerLines();
  for (let index = 0; index < 40; index++) lines.take({ id: `layer${index}`, status: 'Waiting', progressDetail: {} });
  lines.take({ id: 'layer39', status: 'Downloading', progressDetail: at(1, 2) });
  for (const columns of [20, 40, 60, 120]) {
    const drawn = lines.live({ ...style, columns, rows: 10 }, 0);
    expect(drawn).toHaveLength(8);
    expect(drawn.some((line) => line.includes('layer39'))).toBe(true);
    expect(drawn.every((line) => line.length < columns)).toBe(true);
  }
});

it('lets nothing that a registry says move the cursor', () => {
  const lines = new LayerLines();
  lines.take({ status: 'a\x1b[2Jb\r\nc' });
  lines.take({ id: 'x\x1b[A', status: 'Downloading\x1b[A' });
  expect([...lines.settled(style), ...lines.live(style, 0)].join('')).not.toMatch(/[\x1b\r]/); // eslint-disable-line no-control-regex -- what is looked for
});

it.each([
  [{ id: 'a', status: 'Pulling fs layer', progressDetail: {} }, 'a: Pulling fs layer\n'],
  [{ id: 'a', status: 'Downloading', progressDetail: { current: 1, total: 2 } }, ''],
  [{ id: 'a', status: 'Downloading', progressDetail: { current: 0, total: 2 } }, ''],
  [{ status: 'Digest: x' }, 'Digest: x\n'],
  [{ stream: 'Loaded image: a\n' }, 'Loaded image: a\n'],
  [{ aux: { Tag: '1' } }, ''],
])('in a pipe %j is %j', (message, text) => expect(plainText(message)).toBe(text));
