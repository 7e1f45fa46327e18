import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findVirtiofsd, virtiofsdArguments } from './virtiofsd.ts';

describe('the program that answers for shared folders', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skiff-virtiofsd-'));
  const program = join(folder, 'virtiofsd');
  const computer = { platform: 'linux', arch: 'x64', environment: { PATH: folder } } as const;
  const says = (version: string): void => {
    writeFileSync(program, `#!/bin/sh\necho '${version}'\n`);
    chmodSync(program, 0o755);
  };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is found, and known by what it says of itself', async () => {
    says('virtiofsd 1.13.2');
    await expect(findVirtiofsd(computer, { isRoot: false })).resolves.toEqual({ path: program, kind: 'present' });
    says('virtiofsd version 7.2.22\nCopyright (c) 2003-2022 Fabrice Bellard and the QEMU Project developers');
    await expect(findVirtiofsd(computer, { isRoot: true })).resolves.toEqual({ path: program, kind: 'former' });
    const refused = { code: 'driver-unavailable', message: expect.stringContaining('only root may run') as string };
    await expect(findVirtiofsd(computer, { isRoot: false })).rejects.toMatchObject(refused);
  });

  it('says what to do where there can be none', async () => {
    const refused = { code: 'driver-unavailable', message: expect.stringContaining('--qemu-shares sftp') as string };
    await expect(findVirtiofsd({ ...computer, platform: 'darwin' })).rejects.toMatchObject(refused);
  });

  it('takes folders of any name, and no rights beyond what is in files', () => {
    const asked = { folder: '/home/a,b\\c', socket: '/m/share-0.sock' };
    expect(virtiofsdArguments('present', asked)).toContain('--shared-dir=/home/a,b\\c');
    expect(virtiofsdArguments('former', asked)).toContain('source=/home/a\\,b\\\\c');
    for (const kind of ['present', 'former'] as const)
      expect(virtiofsdArguments(kind, asked).join(' ')).toMatch(/modcaps=-mknod:-setfcap:-chown/);
  });
});
