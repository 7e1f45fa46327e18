import { expect, it } from 'vitest';
import { enabledControllers } from './cgroups.ts';
import { parseCrunVersion } from './crun.ts';
import { findCrun } from './crun.ts';
import { splitDevice } from './host-devices.ts';
import { capabilitiesOf, parseKernel } from './host-facts.ts';

it('reads the table of controllers', () => {
  expect(enabledControllers('#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t0\t1\t0\n')).toEqual([
    'cpu',
  ]);
});

it('reads versions', () => {
  expect(parseCrunVersion('crun version 1.8.1\ncommit: x\n')).toBe('1.8.1');
  expect(parseCrunVersion('runc version 1.1.5')).toBeNull();
  expect(parseKernel('6.12.41+deb13-cloud-amd64')).toEqual([6, 12]);
});

it('reads capabilities and device numbers', () => {
  expect(capabilitiesOf('CapEff:\t0000000000000000\nCapBnd:\t0000010000000021\n')).toEqual([
    'CAP_CHOWN',
    'CAP_KILL',
    'CAP_CHECKPOINT_RESTORE',
  ]);
  expect(splitDevice(0x100305)).toEqual({ major: 3, minor: 0x105 });
});

it('says what to do when crun is not there', async () => {
  await expect(findCrun(['/nosuch'])).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('install the package crun') as string,
  });
});
