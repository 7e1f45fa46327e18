import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { openLog } from '../diagnostics/log.ts';
import { hasProjectQuota, projectOf } from '../kernel/project-quota.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { LocalVolumes } from './local-volumes.ts';

const needs = ['linux', 'root', 'project quotas', { program: 'mkfs.ext4' }] as const;
describeWith(needs, 'volumes with a size, on ext4 with project quotas', () => {
  const owner = new DisposableStack();
  let disk: string;
  let database: Database;
  beforeAll(() => {
    const scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-quota-'));
    disk = path.join(scratch, 'disk');
    owner.defer(() => rmSync(scratch, { recursive: true }));
    const file = path.join(scratch, 'file');
    writeFileSync(file, '');
    truncateSync(file, 64_000_000);
    execFileSync('mkfs.ext4', ['-q', '-O', 'quota,project', '-E', 'quotatype=prjquota', file]);
    mkdirSync(disk);
    execFileSync('mount', ['-o', 'loop,prjquota', file, disk]);
    owner.defer(() => void execFileSync('umount', [disk]));
    database = owner.use(openDatabase(disk));
  });
  afterAll(() => owner.dispose());

  const open = (): LocalVolumes =>
    new LocalVolumes({
      database,
      dataRoot: disk,
      log: openLog({ verbosity: 'error', write: () => undefined }),
      now: () => 0n,
      onChange: () => undefined,
      sizeOf: (folders) => Promise.resolve(folders.map(() => 0)),
      mountDevice: () => Promise.reject(new Error('nothing is mounted in this test')),
    });

  it('hold no more than that, each for itself', async () => {
    expect(hasProjectQuota(disk)).toBe(true);
    const volumes = open();
    const [small, other] = await Promise.all(
      ['small', 'other'].map((name) => volumes.create({ name, driver: '', labels: {}, options: { size: '1m' } })),
    );
    const fill = (folder: string, bytes: number): void =>
      writeFileSync(path.join(folder, 'file'), Buffer.alloc(bytes, 1));
    expect(() => fill(small?.folder ?? '', 2_000_000)).toThrow(/EDQUOT|ENOSPC/);
    fill(other?.folder ?? '', 900_000);
    expect(projectOf(small?.folder ?? '')).not.toBe(projectOf(other?.folder ?? ''));
  });

  it('get their limit at the next start, should a crash have come before it', async () => {
    const { folder } = await open().create({ name: 'late', driver: '', labels: {}, options: { size: '1m' } });
    rmSync(folder, { recursive: true });
    await open().restore(new Map());
    expect(() => writeFileSync(path.join(folder, 'file'), Buffer.alloc(2_000_000, 1))).toThrow(/EDQUOT|ENOSPC/);
  });
});
