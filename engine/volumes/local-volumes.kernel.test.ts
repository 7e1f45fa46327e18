import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { openLog } from '../diagnostics/log.ts';
import { newContainerId } from '../model/ids.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { LocalVolumes } from './local-volumes.ts';
import type { VolumeRequest } from './volumes.ts';

const request = (name: string, more: Partial<VolumeRequest> = {}): VolumeRequest => ({
  name,
  driver: '',
  options: {},
  labels: {},
  ...more,
});
const everything = { filters: new Map(), isAll: true };

describeWith(['linux'], 'local volumes', () => {
  let scratch: string;
  let database: Database;
  const changes: string[] = [];
  beforeEach(() => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-volumes-'));
    database = openDatabase(scratch);
    changes.length = 0;
  });
  afterEach(() => {
    database[Symbol.dispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  const open = (more: Partial<ConstructorParameters<typeof LocalVolumes>[0]> = {}): LocalVolumes =>
    new LocalVolumes({
      database,
      dataRoot: scratch,
      log: openLog({ verbosity: 'error', write: () => undefined }),
      now: () => 1_700_000_000_500_000_000n,
      onChange: (action, { name }) => changes.push(`${action} ${name}`),
      sizeOf: (folders) => Promise.resolve(folders.map(() => 7)),
      mountDevice: () => Promise.reject(new Error('nothing is mounted in this test')),
      ...more,
    });
  const container = (): ReturnType<typeof newContainerId> => {
    const id = newContainerId();
    database.sql
      .prepare("INSERT INTO containers (id, name, image, spec, state) VALUES (?, ?, '', '{}', '{}')")
      .run(id, id);
    return id;
  };

  it('are made once, also when two ask at the same time', async () => {
    const volumes = open();
    const [one, two] = await Promise.all([
      volumes.create(request('data', { labels: { a: '1' } })),
      volumes.create(request('data', { labels: { b: '2' } })),
    ]);
    expect(one).toEqual(two);
    expect(one).toMatchObject({ labels: { a: '1' }, createdAt: '2023-11-14T22:13:20Z' });
    expect(changes).toEqual(['create data']);
  });

  it('that are used stay, and go with the last row of a container that used them', async () => {
    const volumes = open();
    const id = container();
    await volumes.create(request('data'));
    volumes.use('data', id);
    await expect(volumes.remove('data')).rejects.toThrow(`remove data: volume is in use - [${id}]`);
    expect(await volumes.prune(everything)).toEqual({ names: [], reclaimedBytes: 0 });
    database.sql.prepare('DELETE FROM containers WHERE id = ?').run(id);
    expect(await volumes.prune(everything)).toEqual({ names: ['data'], reclaimedBytes: 7 });
    expect(readdirSync(path.join(scratch, 'volumes'))).toEqual([]);
  });

  it('51: are pruned by one at a time', async () => {
    const release = Promise.withResolvers<void>();
    const volumes = open({
      sizeOf: async (folders) => {
        await release.promise;
        return folders.map(() => 0);
      },
    });
    await volumes.create(request(''));
    const first = volumes.prune(everything);
    await expect(volumes.prune(everything)).rejects.toThrow('a prune operation is already running');
    release.resolve();
    expect((await first).names).toHaveLength(1);
    expect((await volumes.prune(everything)).names).toEqual([]);
  });

  it('that a crash left half made or half removed are finished at boot; a stranger’s folder stays', async () => {
    const volumes = open();
    for (const name of ['half', 'going', 'gone']) await volumes.create(request(name));
    const folder = (name: string): string => path.join(scratch, 'volumes', name);
    rmSync(folder('half'), { recursive: true });
    writeFileSync(path.join(folder('going'), '_data/f'), 'x');
    database.sql.exec("UPDATE volumes SET state = 'removing' WHERE name IN ('going', 'gone')");
    rmSync(folder('gone'), { recursive: true });
    mkdirSync(path.join(folder('.removing-0123'), '_data'), { recursive: true });
    mkdirSync(folder('stranger'));
    const again = open();
    await again.restore(new Map());
    expect(again.list().map(({ name }) => name)).toEqual(['half']);
    expect(existsSync(path.join(folder('half'), '_data'))).toBe(true);
    expect(readdirSync(path.join(scratch, 'volumes')).sort()).toEqual(['half', 'stranger']);
  });

  it('with a device tell why it could not be mounted, and are held by nobody then', async () => {
    const volumes = open();
    await volumes.create(request('disk', { options: { type: 'ext4', device: '/dev/nope' } }));
    await expect(volumes.hold('disk', 'someone')).rejects.toThrow(/error while mounting volume '.*disk\/_data'/);
    expect(volumes.letGo('someone')).toEqual([]);
    await volumes.remove('disk');
  });
});
