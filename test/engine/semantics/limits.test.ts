import { readFileSync, rmdirSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../eventually.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { actionsOf } from '../event-log.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const isV2 = isThere('/sys/fs/cgroup/cgroup.controllers');

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: limits', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  /** A file of the container's cgroup, looked at from outside. */
  const limit = async (id: string, v1: string, v2: string): Promise<string> => {
    const { State } = await boxes.inspect<{ State: { Pid: number } }>(id);
    const lines = readFileSync(`/proc/${State.Pid}/cgroup`, 'latin1').split('\n');
    const controller = v1.split('/')[0] ?? '';
    const path = lines.find((line) => (isV2 ? line.startsWith('0::') : line.split(':')[1] === controller));
    const cgroup = path?.split(':')[2] ?? '';
    const file = isV2 ? `/sys/fs/cgroup${cgroup}/${v2}` : `/sys/fs/cgroup/${controller}${cgroup}/${v1.split('/')[1]}`;
    return readFileSync(file, 'latin1').trim();
  };
  const update = async (id: string, body: object): Promise<{ status: number; text: string }> =>
    await call(engine.socket, 'POST', `/containers/${id}/update`, body);

  it('15: memory with swap of the same size, a reservation, processors and processes are the kernel’s limits', async () => {
    const id = await boxes.keep({
      host: {
        Memory: 64 * 2 ** 20,
        MemoryReservation: 32 * 2 ** 20,
        NanoCpus: 500_000_000,
        CpuShares: 512,
        CpusetCpus: '0',
        PidsLimit: 20,
      },
    });
    expect(await limit(id, 'memory/memory.limit_in_bytes', 'memory.max')).toBe(String(64 * 2 ** 20));
    if (!isV2) expect(await limit(id, 'memory/memory.memsw.limit_in_bytes', '')).toBe(String(128 * 2 ** 20));
    expect(await limit(id, 'memory/memory.soft_limit_in_bytes', 'memory.low')).toBe(String(32 * 2 ** 20));
    expect(await limit(id, 'cpu/cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000( 100000)?$/);
    expect(await limit(id, 'cpuset/cpuset.cpus', 'cpuset.cpus')).toBe('0');
    expect(await limit(id, 'pids/pids.max', 'pids.max')).toBe('20');
    const { HostConfig } = await boxes.inspect<{ HostConfig: object }>(id);
    expect(HostConfig).toMatchObject({ Memory: 64 * 2 ** 20, MemorySwap: 128 * 2 ** 20, PidsLimit: 20 });
    await boxes.remove(id);
  });

  it('15: 0 or less processes is no limit, as -1 is for swap', async () => {
    for (const PidsLimit of [0, -1]) {
      const id = await boxes.keep({ host: { PidsLimit, Memory: 32 * 2 ** 20, MemorySwap: -1 } });
      expect(await limit(id, 'pids/pids.max', 'pids.max')).toBe('max');
      expect((await boxes.inspect<{ HostConfig: object }>(id)).HostConfig).toMatchObject({
        PidsLimit: null,
        MemorySwap: -1,
      });
      await boxes.remove(id);
    }
  });

  it('15: a fork too many fails, and the container goes on', async () => {
    const { output, exitCode } = await boxes.run(
      '(for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done; wait) 2>&1; echo alive; exit 3',
      { host: { PidsLimit: 6 } },
    );
    expect(output).toMatch(/can't fork.*\nalive/s);
    expect(exitCode).toBe(3);
  });

  it('26: an update holds for what runs, and for the next start', async () => {
    const id = await boxes.keep({ host: { Memory: 64 * 2 ** 20 } });
    const changed = await update(id, { Memory: 128 * 2 ** 20, MemorySwap: 256 * 2 ** 20, NanoCpus: 1e9, PidsLimit: 9 });
    expect(changed.status, changed.text).toBe(200);
    const limits = async (): Promise<readonly string[]> => [
      await limit(id, 'memory/memory.limit_in_bytes', 'memory.max'),
      await limit(id, 'cpu/cpu.cfs_quota_us', 'cpu.max'),
      await limit(id, 'pids/pids.max', 'pids.max'),
    ];
    const expected = [String(128 * 2 ** 20), expect.stringMatching(/^100000/), '9'];
    expect(await limits()).toEqual(expected);
    await call(engine.socket, 'POST', `/containers/${id}/restart?t=0`);
    expect(await limits()).toEqual(expected);
    await boxes.remove(id);
  });

  it('26: an update that the kernel refuses changes nothing', async () => {
    const id = await boxes.keep({ host: { Memory: 64 * 2 ** 20, PidsLimit: 7 } });
    const refused = await update(id, { Memory: 32 * 2 ** 20, MemorySwap: 32 * 2 ** 20, CpusetCpus: '0-4000' });
    expect(refused).toMatchObject({
      status: 400,
      text: expect.stringContaining('Requested CPUs are not available') as string,
    });
    expect(await limit(id, 'memory/memory.limit_in_bytes', 'memory.max')).toBe(String(64 * 2 ** 20));
    expect((await boxes.inspect<{ HostConfig: object }>(id)).HostConfig).toMatchObject({ Memory: 64 * 2 ** 20 });
    await boxes.remove(id);
  });

  it('83: ulimits are the process’s, and by default those that docker has', async () => {
    const Ulimits = [
      { Name: 'nofile', Soft: 100, Hard: 200 },
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'nproc', Soft: 50, Hard: 60 },
    ];
    const script = 'ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -u';
    expect((await boxes.run(script, { host: { Ulimits } })).output).toBe('100\n200\n0\n50\n');
    expect((await boxes.run('ulimit -Sn')).output).toBe('1024\n');
  });

  it('83: the score by which the kernel chooses whom to kill', async () => {
    expect((await boxes.run('cat /proc/1/oom_score_adj', { host: { OomScoreAdj: 300 } })).output).toBe('300\n');
    expect((await boxes.run('cat /proc/1/oom_score_adj')).output).toBe('0\n');
  });

  it('a container’s cgroup lies where it was asked for', async () => {
    const parent = `/skiff-test-${process.pid}`;
    const id = await boxes.keep({ host: { CgroupParent: parent } });
    const { State } = await boxes.inspect<{ State: { Pid: number } }>(id);
    expect(readFileSync(`/proc/${State.Pid}/cgroup`, 'latin1')).toContain(`:${parent}/${id}\n`);
    await boxes.remove(id);
    // The exit is told before the monitor removes the cgroups: whoever waits for it should not wait for those.
    const parents = (isV2 ? [''] : v1Folders()).map((folder) => `/sys/fs/cgroup/${folder}${parent}`).filter(isThere);
    await eventually(() => parents.filter((folder) => isThere(`${folder}/${id}`))).toEqual([]);
    // crun makes the folders above a container's own; they are the test's to remove.
    for (const folder of parents) rmdirSync(folder);
  });

  it('reads and writes of a block device are slowed down', async () => {
    const device = blockDevice();
    const id = await boxes.keep({
      host: {
        BlkioDeviceReadBps: [{ Path: device, Rate: 1_048_576 }],
        BlkioDeviceWriteIOps: [{ Path: device, Rate: 50 }],
      },
    });
    expect(await limit(id, 'blkio/blkio.throttle.read_bps_device', 'io.max')).toMatch(/^\d+:\d+ .*1048576/);
    expect(await limit(id, 'blkio/blkio.throttle.write_iops_device', 'io.max')).toMatch(/^\d+:\d+ .*50/);
    await boxes.remove(id);
  });

  it.skipIf(isV2)('swappiness and the switch of the killer are v1’s', async () => {
    const host = { Memory: 32 * 2 ** 20, MemorySwappiness: 0, OomKillDisable: true };
    const id = await boxes.keep({ host });
    expect(await limit(id, 'memory/memory.swappiness', '')).toBe('0');
    expect(await limit(id, 'memory/memory.oom_control', '')).toContain('oom_kill_disable 1');
    expect((await boxes.inspect<{ HostConfig: object }>(id)).HostConfig).toMatchObject(host);
    await boxes.remove(id);
  });

  it('a process that is killed for want of memory is told at once, of a container that goes on, and once', async () => {
    const id = await boxes.keep({ host: { Memory: 32 * 2 ** 20, MemorySwap: 32 * 2 ** 20 } });
    const eat = (): Promise<unknown> =>
      docker(engine.socket, ['exec', id, 'sh', '-c', 'head -c 80000000 /dev/zero | tail -c 79000000 >/dev/null']);
    const state = async (): Promise<object> => (await boxes.inspect<{ State: object }>(id)).State;
    const kills = async (): Promise<number> =>
      (await actionsOf(engine.socket, id)).filter((action) => action === 'oom').length;
    expect(await state()).toMatchObject({ OOMKilled: false });
    await eat();
    await eventually(kills).toBeGreaterThan(0);
    expect(await state()).toMatchObject({ OOMKilled: true, Running: true });
    await engine.crash();
    await engine.start();
    expect(await state()).toMatchObject({ OOMKilled: true, Running: true });
    expect(await kills()).toBe(0);
    await eat();
    await eventually(kills).toBeGreaterThan(0);
    const before = await kills();
    await call(engine.socket, 'POST', `/containers/${id}/kill`);
    await eventually(async () => (await actionsOf(engine.socket, id)).includes('die')).toBe(true);
    expect(await kills()).toBe(before);
    expect(await state()).toMatchObject({ OOMKilled: true, Running: false });
    await boxes.remove(id);
  });

  it('a GPU that is not there is said as docker says it', async () => {
    const DeviceRequests = [{ Driver: '', Count: -1, Capabilities: [['gpu']] }];
    await expect(boxes.run('true', { host: { DeviceRequests } })).rejects.toThrow(
      'could not select device driver \\"\\" with capabilities: [[gpu]]',
    );
  });
});

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function v1Folders(): readonly string[] {
  return readFileSync('/proc/mounts', 'latin1')
    .split('\n')
    .flatMap((line) => /^\S+ \/sys\/fs\/cgroup\/(\S+) cgroup2? /.exec(line)?.[1] ?? []);
}

/** The one that the root lies on, or any. */
function blockDevice(): string {
  const names = readFileSync('/proc/partitions', 'latin1').match(/\b(?:vda|sda|nvme0n1|loop0)\b/);
  return `/dev/${names?.[0] ?? 'loop0'}`;
}
