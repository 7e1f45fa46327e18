import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bootProfiles } from '../../machine-image/boot-profile.ts';
import { findPreparedStart, keepPreparedStart } from './prepared-start.ts';
import type { QemuBoot } from './qemu-arguments.ts';
import { QmpConnection } from './qmp.ts';

async function makeBoot(): Promise<QemuBoot> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-prepared-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return {
    profile: bootProfiles.amd64,
    name: 'default',
    accelerator: { name: 'tcg', cpu: 'emulated' },
    cpus: 2,
    memoryBytes: 1024 ** 3,
    image: {
      kernel: '/c/vmlinuz',
      initrd: '/c/initrd',
      systemDisk: join(folder, 'system.erofs'),
      commandLine: 'quiet',
    },
    dataDisk: { path: '/m/data.disk', format: 'raw' },
    seed: '/m/seed.disk',
    sshPort: 40022,
    serialLog: '/m/serial.log',
    pidFile: '/m/qemu.pid',
    qmpSocket: join(folder, 'qmp'),
    takesShares: false,
    givesMemoryBack: true,
  };
}

/** A QEMU that "migrates" at once: into the file that it is told, or nowhere. */
async function startFakeQemu(socket: string, how: 'writes' | 'fails'): Promise<void> {
  const server = createServer((client) => {
    client.write('{"QMP": {}}\n');
    client.setEncoding('utf8');
    client.on('data', (text: string) => {
      for (const line of text.trim().split('\n')) void answer(line);
    });
    const answer = async (line: string): Promise<void> => {
      const {
        execute,
        id,
        arguments: args,
      } = JSON.parse(line) as {
        execute: string;
        id: number;
        arguments?: { uri: string };
      };
      const file = /cat > '?([^']+)'?$/.exec(args?.uri ?? '')?.[1];
      if (file !== undefined && how === 'writes') await writeFile(file, 'memory');
      const migrated = how === 'writes' ? { status: 'completed' } : { status: 'failed', 'error-desc': 'No space left' };
      client.write(`${JSON.stringify({ id, return: execute === 'query-migrate' ? migrated : {} })}\n`);
    };
  });
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
}

async function keep(boot: QemuBoot, file: string): Promise<readonly string[]> {
  const told: string[] = [];
  const tell = ({ detail }: { detail?: string | undefined }): void => void told.push(detail ?? '');
  using qmp = await QmpConnection.connect(boot.qmpSocket ?? '');
  await keepPreparedStart(qmp, file, { tell, signal: AbortSignal.timeout(30_000) });
  return told;
}

describe('a prepared start', () => {
  it('serves every machine that has the same devices, and none that has others', async () => {
    const boot = await makeBoot();
    const fileOf = async (other: Partial<QemuBoot>, qemu = '7.2'): Promise<string | undefined> =>
      (await findPreparedStart({ ...boot, ...other }, qemu))?.file;
    const file = await fileOf({});
    expect(dirname(file ?? '')).toBe(join(dirname(boot.image.systemDisk), 'prepared'));
    const otherMachine = {
      name: 'other',
      dataDisk: { path: '/o/data.disk', format: 'raw' },
      seed: '/o/seed.disk',
      sshPort: 40023,
      serialLog: '/o/serial.log',
      pidFile: '/o/qemu.pid',
      qmpSocket: '/o/qmp',
    } as const;
    expect(await fileOf(otherMachine)).toBe(file);
    expect(await fileOf({ memoryBytes: 2 * 1024 ** 3 })).not.toBe(file);
    expect(await fileOf({ takesShares: true })).not.toBe(file);
    expect(await fileOf({ image: { ...boot.image, commandLine: 'quiet more' } })).not.toBe(file);
    expect(await fileOf({}, '7.3')).not.toBe(file);
    expect(await fileOf({ accelerator: { name: 'kvm', cpu: 'host' } })).toBeUndefined();
  });

  it('is kept once, beside those used last; what others began and did not end goes too', async () => {
    const boot = await makeBoot();
    await startFakeQemu(boot.qmpSocket ?? '', 'writes');
    const prepared = await findPreparedStart(boot, '7.2');
    expect(prepared).toMatchObject({ isThere: false });
    const folder = dirname(prepared?.file ?? '');
    await mkdir(folder);
    const hoursAgo = Date.now() / 1000 - 3 * 3600;
    for (const [index, name] of ['d', 'c', 'b', 'a', 'dead.1.new'].entries()) {
      await writeFile(join(folder, name), '');
      await utimes(join(folder, name), hoursAgo + index, hoursAgo + index);
    }
    await writeFile(join(folder, 'going-on.2.new'), '');
    expect(await keep(boot, prepared?.file ?? '')).toEqual([]);
    const own = prepared?.file.slice(folder.length + 1) ?? '';
    expect((await readdir(folder)).sort()).toEqual(['a', 'b', 'c', 'going-on.2.new', own].sort());
    expect(await findPreparedStart(boot, '7.2')).toMatchObject({ isThere: true });
  });

  it('that cannot be kept is told of, leaves nothing, and is no error', async () => {
    const boot = await makeBoot();
    await startFakeQemu(boot.qmpSocket ?? '', 'fails');
    const prepared = await findPreparedStart(boot, '7.2');
    const told = await keep(boot, prepared?.file ?? '');
    expect(told.at(-1)).toContain('later starts cannot be prepared');
    expect(told.at(-1)).toContain('No space left');
    expect(await readdir(dirname(prepared?.file ?? ''))).toEqual([]);
  });
});
