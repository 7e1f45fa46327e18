import { expect, test } from 'vitest';
import { removalOf } from './removal.ts';

const mounts = [
  { type: 'volume', source: 'data', destination: '/data', isReadOnly: false },
  { type: 'volume', source: 'f'.repeat(64), destination: '/cache', isReadOnly: false },
  { type: 'bind', source: '/srv/site', destination: '/site', isReadOnly: true },
  { type: 'tmpfs', source: '', destination: '/tmp', isReadOnly: false },
];

test('named volumes and folders stay in every case', () => {
  expect(removalOf({ mounts, removesVolumes: false })).toEqual({
    lost: [],
    kept: ['data', '/srv/site', '/cache'],
    hasUnnamed: true,
  });
  expect(removalOf({ mounts, removesVolumes: true })).toEqual({
    lost: ['/cache'],
    kept: ['data', '/srv/site'],
    hasUnnamed: true,
  });
});

test('without unnamed volumes there is nothing to ask', () => {
  expect(removalOf({ mounts: mounts.slice(0, 1), removesVolumes: false }).hasUnnamed).toBe(false);
});
