import { expect, it } from 'vitest';
import { compareApiVersions, newestApiVersion, oldestApiVersion } from '../../api/version.ts';
import { gated, gates } from './version-gates.ts';

const container = { Id: 'a', NetworkSettings: { IPAddress: '172.17.0.2', MacAddress: 'x', Networks: { bridge: {} } } };

it.each([
  ['1.51', container],
  ['1.52', { Id: 'a', NetworkSettings: { Networks: { bridge: {} } } }],
])('a container for %s', (version, shown) => {
  expect(gated('container', version, container)).toEqual(shown);
});

it('walks lists and maps', () => {
  expect(gated('container-list', '1.51', [{ Id: 'a', Health: {} }, { Id: 'b' }])).toEqual([{ Id: 'a' }, { Id: 'b' }]);
  expect(gated('container-list', '1.52', [{ Id: 'a', Health: {} }])).toEqual([{ Id: 'a', Health: {} }]);
  const usage = { Images: [{ Id: 'i', VirtualSize: 1 }], Volumes: null };
  expect(gated('disk-usage', '1.43', usage)).toEqual(usage);
  expect(gated('disk-usage', '1.44', usage)).toEqual({ Images: [{ Id: 'i' }], Volumes: null });
});

it('leaves out what is empty, and only that', () => {
  const image = { Author: '', Config: { Cmd: null, Env: [], Labels: {}, User: 'me', WorkingDir: '' } };
  expect(gated('image', '1.51', image)).toEqual(image);
  expect(gated('image', '1.52', image)).toEqual({ Config: { User: 'me' } });
});

it('knows only versions that this engine speaks', () => {
  for (const { since = newestApiVersion, until = newestApiVersion } of gates) {
    for (const version of [since, until]) {
      expect(compareApiVersions(version, oldestApiVersion)).toBeGreaterThan(0);
      expect(compareApiVersions(version, newestApiVersion)).toBeLessThanOrEqual(0);
    }
  }
});
