import { expect, it } from 'vitest';
import { type Digest, parseDigest } from '../model/ids.ts';
import { ManifestMemory } from './manifest-memory.ts';
import type { RemoteManifest } from './registry.ts';

const digest = (number: number): Digest => parseDigest(`sha256:${number.toString(16).padStart(64, '0')}`);
const manifest = (number: number, sizeBytes: number): RemoteManifest => ({
  digest: digest(number),
  mediaType: 'application/json',
  sizeBytes,
  bytes: Buffer.alloc(0),
});

it('manifests are remembered with their names, the newest of them, up to a size', () => {
  const memory = new ManifestMemory();
  for (let number = 0; number < 10; number += 1) memory.keep(`name:${number}`, manifest(number, 400_000));
  const kept = Array.from({ length: 10 }, (_, number) => number).filter(
    (number) => memory.find(digest(number)) !== null,
  );
  expect(kept).toEqual([5, 6, 7, 8, 9]);
  expect(memory.hasMet('name:4')).toBe(false);
  expect(memory.hasMet('name:9')).toBe(true);
  memory.keep('huge:1', manifest(99, 600_000));
  expect(memory.hasMet('huge:1')).toBe(false);
});

it('a manifest that is kept again counts once', () => {
  const memory = new ManifestMemory();
  for (let time = 0; time < 20; time += 1) memory.keep('name:1', manifest(1, 500_000));
  memory.keep('name:2', manifest(2, 500_000));
  expect([memory.hasMet('name:1'), memory.hasMet('name:2')]).toEqual([true, true]);
});
