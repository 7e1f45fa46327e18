import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { ShareDevice, mountShareDevice } from './device-files.ts';

describeWith(['linux', 'root'], 'files of a share by a device', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-device-'));
  const target = path.join(folder, 'share');
  const report = (): void => undefined;
  let device: ShareDevice;

  beforeAll(() => {
    mkdirSync(path.join(target, 'inside'), { recursive: true });
    writeFileSync(path.join(target, 'inside', 'note'), 'here');
    writeFileSync(path.join(folder, 'secret'), 'elsewhere');
    symlinkSync('../../secret', path.join(target, 'inside', 'link'));
    symlinkSync('..', path.join(target, 'out'));
    device = new ShareDevice({ target, report });
  });
  afterAll(() => {
    device[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const inodeOf = (name: string): number => statSync(path.join(target, name)).ino;

  it('are opened when they are those that the user’s computer means', async () => {
    const file = await device.open('inside/note', inodeOf('inside/note'));
    expect(file?.isWritable).toBe(true);
    file?.close();
    await expect(device.open('inside/note', inodeOf('inside'))).resolves.toBeNull();
    await expect(device.open('inside', inodeOf('inside'))).resolves.toBeNull();
    await expect(device.open('inside/missing', 1)).resolves.toBeNull();
  });

  it('are never reached through a link: what it names is another file in the machine', async () => {
    const secret = statSync(path.join(folder, 'secret')).ino;
    for (const name of ['inside/link', 'out/secret', '../secret', path.join(folder, 'secret')])
      await expect(device.open(name, secret)).resolves.toBeNull();
    expect(device.isAlive).toBe(true);
  });

  it('are not there where the machine has no device of that tag', () => {
    expect(mountShareDevice('nosuchtag', { target: path.join(folder, 'none'), report })).toBeNull();
  });
});
