import { describe, expect, it } from 'vitest';
import { containerRow, imageRow } from '../../test/browser/fixture-rows.ts';
import { imageKeyText, linesOf, titleOf, visibleImages, type ImageChoice } from './image-table.ts';

const old = imageRow({ names: ['debian:12', 'debian:oldstable'], sizeBytes: 100, createdAt: 1 });
const big = imageRow({ names: ['node:24'], digests: ['node@sha256:ab'], sizeBytes: 900, createdAt: 2 });
const bare = imageRow({ names: [], sizeBytes: 300, createdAt: null });
const user = containerRow({ imageId: big.id });
const lines = linesOf([old, big, bare], [user, containerRow({ imageId: big.id, machine: 'other' })]);
const choice: ImageChoice = { search: '', onlyUnused: false, sort: { column: 'name', direction: 'ascending' } };
const shown = (change: Partial<ImageChoice>): string[] =>
  visibleImages(lines, { ...choice, ...change }).map(({ image }) => titleOf(image));

describe('the list of images', () => {
  it('knows who uses an image, on its own machine', () =>
    expect(lines.map(({ users }) => users.length)).toEqual([0, 1, 0]));

  it('sorts those without a name last', () =>
    expect(shown({})).toEqual(['debian:12', 'node:24', bare.id.slice(7, 19)]));

  it.each([
    ['size', ['node:24', bare.id.slice(7, 19), 'debian:12']],
    ['created', ['node:24', 'debian:12', bare.id.slice(7, 19)]],
    ['users', ['node:24', 'debian:12', bare.id.slice(7, 19)]],
  ] as const)('sorts by %s', (column, names) =>
    expect(shown({ sort: { column, direction: 'descending' } })).toEqual(names),
  );

  it.each([
    ['oldstable', ['debian:12']],
    ['sha256:ab', ['node:24']],
    ['NODE', ['node:24']],
    [bare.id.slice(7, 12), [bare.id.slice(7, 19)]],
    ['node debian', []],
  ])('finds %j', (search, names) => expect(shown({ search })).toEqual(names));

  it('shows those that nobody uses alone', () =>
    expect(shown({ onlyUnused: true })).toEqual(['debian:12', bare.id.slice(7, 19)]));

  it('keys a row by its machine too', () => expect(imageKeyText(old)).toBe(`default/${old.id}`));
});
