import { expect, it } from 'vitest';
import { parseMounts } from './mount-table.ts';

it('reads mountinfo, with any number of optional fields and escaped characters', () => {
  const text = [
    '22 1 254:0 / / rw,relatime - ext4 /dev/root rw',
    String.raw`36 22 0:32 /a\040folder /mnt/a\040b\011c\134d ro,nosuid shared:1 master:2 - overlay overlay rw,lowerdir=/l`,
    '61 22 0:4 net:[4026532299] /run/ns/one rw shared:9 - nsfs nsfs rw',
    '',
  ].join('\n');
  expect(parseMounts(text)).toEqual([
    {
      id: 22,
      parentId: 1,
      root: '/',
      target: '/',
      options: ['rw', 'relatime'],
      tags: [],
      type: 'ext4',
      source: '/dev/root',
      superOptions: ['rw'],
    },
    {
      id: 36,
      parentId: 22,
      root: '/a folder',
      target: '/mnt/a b\tc\\d',
      options: ['ro', 'nosuid'],
      tags: ['shared:1', 'master:2'],
      type: 'overlay',
      source: 'overlay',
      superOptions: ['rw', 'lowerdir=/l'],
    },
    {
      id: 61,
      parentId: 22,
      root: 'net:[4026532299]',
      target: '/run/ns/one',
      options: ['rw'],
      tags: ['shared:9'],
      type: 'nsfs',
      source: 'nsfs',
      superOptions: ['rw'],
    },
  ]);
});

it('refuses what is no mountinfo', () => {
  expect(() => parseMounts('22 1 254:0 / /')).toThrow('cannot be read');
});
