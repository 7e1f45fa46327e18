import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { enabledControllers } from './cgroups.ts';
import { knownFlaws } from './crun-flaws.ts';
import { parseCrunVersion } from './crun.ts';
import { findCrun } from './crun.ts';
import { findInit, isStatic } from './init-program.ts';
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

it('knows the holes of a version of crun', () => {
  expect(knownFlaws('1.8.1')).toHaveLength(2);
  expect(knownFlaws('1.28')).toEqual([expect.stringContaining('CVE-2026-47766')]);
  expect(knownFlaws('1.29')).toEqual([]);
});

const busybox = '/bin/busybox';
const hasBusybox = existsSync(busybox);
it.skipIf(!hasBusybox)(
  `takes for an init only what needs no libraries${hasBusybox ? '' : ' (skipped: no busybox)'}`,
  () => {
    expect(isStatic(busybox)).toBe(true);
    expect(isStatic(process.execPath)).toBe(false);
    expect(isStatic('/etc/passwd')).toBe(false);
    expect(findInit(busybox)).toBe(busybox);
    expect(findInit('/nosuch')).toBeNull();
  },
);

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
