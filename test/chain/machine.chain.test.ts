import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { EngineClient } from '../../client/engine-client.ts';
import { unixSocketDialer } from '../../client/dial.ts';
import { buildEngineRelease, openMachines } from '../../provisioners/index.ts';
import type { EngineSource, Machines, Operation, StepReport } from '../../provisioners/index.ts';
import { call } from '../engine/api.ts';
import { Boxes } from '../engine/box.ts';
import { describeWith } from '../skip.ts';
import { learnAccelerators, tellAccelerators } from './known-accelerators.ts';

/**
 * The whole chain, with one machine for all: a virtual machine made from nothing, the engine deployed into it, and everything
 * that can happen to either. The tests follow the machine's life; each begins where the one before ended.
 */
const repository = fileURLToPath(new URL('../../', import.meta.url));
const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
const name = 'chain.1';

describeWith([{ program: 'qemu-system-x86_64' }, { program: 'mmdebstrap' }], 'a machine on QEMU', () => {
  let home: string;
  let engine: EngineSource;
  let machines: Machines;
  const signal = new AbortController().signal;
  const quiet: Operation = { report: () => undefined, signal };

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-chain-'));
    await buildEngineRelease({ checkout: repository.replace(/\/$/, ''), arch, folder: join(home, 'releases', arch) });
    engine = { kind: 'releases', folder: join(home, 'releases') };
    await learnAccelerators(options().home);
    machines = openMachines(options());
  });

  afterAll(async () => {
    // Also when a test in the middle failed: nothing may be left running.
    await machines.remove(name, quiet).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'no-such-machine')) throw error;
    });
    await rm(home, { recursive: true, force: true });
  });

  const options = () => ({ home: join(home, 'home'), environment: { DOCKER_CONFIG: join(home, 'docker') }, engine });
  const request = { name, settings: { cpus: 2, memoryBytes: 1024 ** 3, diskBytes: 8 * 1024 ** 3 } };
  const dial = async (): Promise<EngineClient> =>
    new EngineClient(unixSocketDialer((await machines.inspect(name)).dockerSocket));

  async function answers(): Promise<string> {
    using docker = await dial();
    await docker.ping();
    return (await docker.version()).Version;
  }

  /** Pids of processes of this machine: their command lines name its folder, or its home and name. */
  async function processes(): Promise<{ readonly pid: number; readonly kind: 'qemu' | 'agent' }[]> {
    const found: { pid: number; kind: 'qemu' | 'agent' }[] = [];
    for (const entry of await readdir('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
      if (!line.includes(home)) continue;
      if (line.includes('qemu-system')) found.push({ pid: Number(entry), kind: 'qemu' });
      else if (line.includes('host-agent')) found.push({ pid: Number(entry), kind: 'agent' });
    }
    return found;
  }

  async function killHard(kind: 'qemu' | 'agent'): Promise<void> {
    const victims = (await processes()).filter((process) => process.kind === kind);
    expect(victims).toHaveLength(1);
    for (const { pid } of victims) process.kill(pid, 'SIGKILL');
  }

  it('goes on with a creation by the command line that was killed in the middle', { timeout: 600_000 }, async () => {
    const size = ['--driver', 'qemu', '--cpus', '2', '--memory', '1g', '--disk', '8g'];
    const words = [join(repository, 'cli/main.ts'), 'machine', 'create', ...size, name];
    const { home: SKIFF_HOME, environment } = options();
    const env = { ...process.env, ...environment, SKIFF_HOME };
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'], env });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
    await vi.waitFor(() => expect(said).toContain('Starting the machine'), { timeout: 400_000, interval: 50 });
    expect((await machines.inspect(name)).state).toBe('creating');
    await expect(machines.create(request, quiet)).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining(`Process ${child.pid} (create)`),
    });
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    expect(await machines.inspect(name)).toMatchObject({
      state: 'create-failed',
      error: expect.stringContaining('interrupted'),
    });

    const reports: StepReport[] = [];
    const made = await machines.create(request, { report: (report) => reports.push(report), signal });
    expect(made).toMatchObject({
      state: 'running',
      error: null,
      dockerContext: `skiff-${name}`,
      agent: { connection: 'ready' },
    });
    expect(made.facts['accelerator']).toBeDefined();
    await tellAccelerators(options().home);
    const ends = reports.filter(({ state }) => state !== 'running').map(({ step, state }) => `${step} ${state}`);
    expect(ends.slice(-4)).toEqual(['make-machine done', 'boot done', 'deploy-engine done', 'host-agent done']);
  });

  it('runs the engine that was deployed, and its API answers on this computer', async () => {
    const { version } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as { version: string };
    expect(await answers()).toBe(version);
    expect((await machines.inspect(name)).engineVersion).toBe(version);
  });

  it('is not made or started twice', async () => {
    await expect(machines.create(request, quiet)).rejects.toMatchObject({ code: 'name-taken' });
    await expect(machines.start(name, quiet)).rejects.toMatchObject({ code: 'already-running' });
  });

  it('needs nothing when it runs: no step is taken', async () => {
    const reports: StepReport[] = [];
    const machine = await machines.ensureRunning(request, { report: (report) => reports.push(report), signal });
    expect([machine.state, reports]).toEqual(['running', []]);
  });

  it(
    'holds containers to what is asked of them, with cgroups v2 and the machine’s own crun',
    { timeout: 180_000 },
    async () => {
      const boxes = new Boxes((await machines.inspect(name)).dockerSocket);
      const files = ['memory.max', 'memory.swap.max', 'memory.low', 'cpu.max', 'cpuset.cpus', 'pids.max', 'io.max'];
      const sized = {
        Type: 'volume',
        Source: 'sized',
        Target: '/v',
        VolumeOptions: { DriverConfig: { Options: { size: '1m' } } },
      };
      const limits = {
        Memory: 64 * 2 ** 20,
        MemoryReservation: 32 * 2 ** 20,
        NanoCpus: 5e8,
        CpusetCpus: '0',
        PidsLimit: 20,
        BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 2 ** 20 }],
        Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
        OomScoreAdj: 300,
        Devices: [{ PathOnHost: '/dev/vda', PathInContainer: '/dev/own', CgroupPermissions: 'r' }],
        Mounts: [sized],
        Init: true,
        // What v2 has no word for is discarded with docker's warning.
        MemorySwappiness: 5,
        OomKillDisable: true,
      };
      const script = [
        `cd /sys/fs/cgroup; cat ${files.join(' ')}; ulimit -Sn; cat /proc/self/oom_score_adj; cat /proc/self/cgroup`,
        'head -c1 /dev/own | wc -c; (: > /dev/own) 2>/dev/null || echo refused; mknod /o b 254 1; head -c1 /o 2>/dev/null || echo hidden',
        'dd if=/dev/zero of=/v/f bs=4k count=500 2>&1 | grep -o "quota exceeded"; wc -c < /v/f',
        'exit 7',
      ];
      const limited = await boxes.run(script.join('\n'), { host: limits });
      expect(limited.output.trimEnd().split('\n')).toEqual([
        '67108864',
        '67108864',
        '33554432',
        '50000 100000',
        '0',
        '20',
        expect.stringMatching(/^\d+:\d+ rbps=1048576 /),
        '100',
        '300',
        '0::/',
        ...['1', 'refused', 'hidden'],
        ...['quota exceeded', '1044480'],
      ]);
      expect([limited.exitCode, limited.warnings.length]).toEqual([7, 2]);

      const user = {
        CapAdd: ['NET_ADMIN'],
        CapDrop: ['ALL'],
        GroupAdd: ['44'],
        SecurityOpt: ['no-new-privileges'],
        ReadonlyRootfs: true,
        Tmpfs: { '/data': 'mode=1777' },
        Sysctls: { 'net.core.somaxconn': '77' },
        ShmSize: 2 ** 20,
      };
      const look = [
        'id -u; id -G; grep -E "^(CapBnd|CapEff|NoNewPrivs|Seccomp):" /proc/self/status',
        'touch /data/y && cat /proc/sys/net/core/somaxconn; touch /x 2>&1 | grep -o "Read-only.*"',
        "df -k /dev/shm | tail -1 | awk '{print $2}'; ls /proc/1/fd; true",
      ];
      const seen = await boxes.run(look.join('\n'), { host: user, config: { User: '1000:50' } });
      expect(seen.output.trimEnd().split('\n')).toEqual([
        '1000',
        '50 44',
        'CapEff:\t0000000000000000',
        'CapBnd:\t0000000000001000',
        'NoNewPrivs:\t1',
        'Seccomp:\t2',
        ...['77', 'Read-only file system'],
        ...['1024', '0', '1', '2'],
      ]);

      // How a program cannot be run is told as everywhere.
      await expect(boxes.run(['/etc'])).rejects.toThrow('permission denied');
      await expect(boxes.run(['/etc/passwd'])).rejects.toThrow('exec: \\"/etc/passwd\\": permission denied');
      await expect(boxes.run(['nosuch'])).rejects.toThrow('executable file not found in $PATH');

      const kept = await boxes.keep({ host: { Memory: 64 * 2 ** 20, IpcMode: 'shareable' } });
      const socket = (await machines.inspect(name)).dockerSocket;
      const updated = await call(socket, 'POST', `/containers/${kept}/update`, {
        Memory: 2 ** 27,
        MemorySwap: 2 ** 28,
        PidsLimit: 9,
      });
      expect(updated.status, updated.text).toBe(200);
      const joined = { IpcMode: `container:${kept}`, PidMode: `container:${kept}` };
      const { output } = await boxes.run(
        'cat /proc/1/root/sys/fs/cgroup/memory.max /proc/1/root/sys/fs/cgroup/pids.max; grep -c " /dev/shm .*nosuid,nodev,noexec" /proc/mounts',
        { host: joined },
      );
      expect(output).toBe('134217728\n9\n1\n');
      await boxes.remove(kept);
    },
  );

  it('joins containers by macvlan and ipvlan, with and without a parent interface', { timeout: 240_000 }, async () => {
    const socket = (await machines.inspect(name)).dockerSocket;
    const boxes = new Boxes(socket);
    const pool = (Subnet: string): object => ({ IPAM: { Config: [{ Subnet }] } });
    const networks = [
      { Name: 'mac-alone', Driver: 'macvlan', ...pool('10.50.0.0/24') },
      { Name: 'mac-wire', Driver: 'macvlan', Options: { parent: 'eth0' }, ...pool('10.51.0.0/24') },
      { Name: 'mac-tagged', Driver: 'macvlan', Options: { parent: 'eth0.10' }, ...pool('10.52.0.0/24') },
      { Name: 'ip-l2', Driver: 'ipvlan', ...pool('10.53.0.0/24') },
      { Name: 'ip-l3', Driver: 'ipvlan', Options: { ipvlan_mode: 'l3', parent: 'eth0.11' }, ...pool('10.54.0.0/24') },
    ];
    for (const network of networks) {
      const made = await call(socket, 'POST', '/networks/create', network);
      expect([network.Name, made.status, made.status === 201 ? '' : made.text]).toEqual([network.Name, 201, '']);
    }
    const EndpointsConfig = Object.fromEntries(networks.map(({ Name }) => [Name, {}]));
    const server = await boxes.keep(
      { host: { NetworkMode: 'mac-alone' }, config: { NetworkingConfig: { EndpointsConfig } } },
      ['sh', '-c', 'while true; do echo reached | nc -l -p 80; done'],
    );
    const { NetworkSettings } = await boxes.inspect<{
      NetworkSettings: { Networks: Record<string, { IPAddress: string; Gateway: string }> };
    }>(server);
    for (const { Name } of networks) {
      const { IPAddress = '', Gateway = '' } = NetworkSettings.Networks[Name] ?? {};
      const look = `until nc -w 1 ${IPAddress} 80; do :; done; ip route | grep -c default`;
      const { output } = await boxes.run(look, { host: { NetworkMode: Name } });
      const isClosed = ['mac-alone', 'ip-l2'].includes(Name);
      expect([Name, Gateway !== '', output]).toEqual([
        Name,
        !isClosed && Name !== 'ip-l3',
        `reached\n${isClosed ? 0 : 1}\n`,
      ]);
    }
    await boxes.remove(server);
    for (const { Name } of networks) expect((await call(socket, 'DELETE', `/networks/${Name}`)).status).toBe(204);
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    await machines.run(name, { command: 'ip -o link', stdin: null, stdout, stderr, terminal: null, signal });
    stdout.end();
    const shown = await text(stdout);
    expect(shown).toContain('eth0');
    expect(shown).not.toMatch(/dm-|eth0\.1/);
  });

  it('runs commands in the machine, streams and exit code kept apart', async () => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const status = await machines.run(name, {
      command: 'hostname; echo oops >&2; exit 9',
      stdin: null,
      stdout,
      stderr,
      terminal: null,
      signal,
    });
    stdout.end();
    stderr.end();
    expect([status, await text(stdout), await text(stderr)]).toEqual([
      { exitCode: 9, signal: null },
      'chain-1\n',
      'oops\n',
    ]);
  });

  it("brings a container's published port to localhost, and an engine upgrade leaves the container running", async () => {
    using docker = await dial();
    const { Id } = await docker.containers.create(
      {
        Image: 'hello',
        Cmd: ['httpd', '-f', '-h', '/etc'],
        HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '' }] } },
        ExposedPorts: { '80/tcp': {} },
      },
      { name: 'web' },
    );
    await docker.containers.start(Id);
    const open = await vi.waitFor(
      async () => {
        const forward = (await machines.inspect(name)).agent?.forwards[0];
        expect(forward).toMatchObject({ containerId: Id, containerPort: 80, state: 'open', hostIp: '127.0.0.1' });
        return forward;
      },
      { timeout: 60_000 },
    );
    const fetched = async (): Promise<string> => (await fetch(`http://127.0.0.1:${open?.hostPort}/hostname`)).text();
    expect((await fetched()).trim()).toBe(Id.slice(0, 12));
    const before = await docker.containers.inspect(Id);

    engine = { kind: 'releases', folder: await changedRelease() };
    machines = openMachines(options());
    const steps: string[] = [];
    await machines.ensureRunning(request, {
      report: ({ step, state }) => state === 'done' && steps.push(step),
      signal,
    });
    expect(steps).toContain('deploy-engine');
    const after = await docker.containers.inspect(Id);
    expect([after.State.Running, after.State.Pid, after.State.StartedAt]).toEqual([
      true,
      before.State.Pid,
      before.State.StartedAt,
    ]);
    expect((await fetched()).trim()).toBe(Id.slice(0, 12));
    await docker.containers.remove(Id, { force: true });
    await vi.waitFor(async () => expect((await machines.inspect(name)).agent?.forwards).toEqual([]), {
      timeout: 60_000,
    });
  });

  /** The same engine with other bytes, as an update is. */
  async function changedRelease(): Promise<string> {
    const folder = join(home, 'newer');
    await cp(join(home, 'releases'), folder, { recursive: true });
    const program = join(folder, arch, 'files', 'skiffd.js');
    await appendFile(program, '\n// newer\n');
    const path = join(folder, arch, 'manifest.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as {
      files: { path: string; sha256: string; sizeBytes: number }[];
    };
    const content = await readFile(program);
    const files = manifest.files.map((file) =>
      file.path === 'skiffd.js'
        ? { ...file, sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length }
        : file,
    );
    await writeFile(path, JSON.stringify({ ...manifest, files }));
    return folder;
  }

  it('gets a new host agent when that was killed', async () => {
    await killHard('agent');
    await vi.waitFor(async () => expect((await machines.inspect(name)).agent).toBeNull(), { timeout: 30_000 });
    await machines.ensureRunning(request, quiet);
    expect(await answers()).toBeTruthy();
  });

  it('is found stopped when QEMU was killed, its agent ends by itself, and it starts again with what its engine knew', async () => {
    using before = await dial();
    const { Id } = await before.containers.create({ Image: 'hello' }, { name: 'kept' });
    let told = 0;
    using _watching = machines.watch(() => told++);
    await killHard('qemu');
    await vi.waitFor(async () => expect(await processes()).toEqual([]), { timeout: 30_000 });
    expect(await machines.inspect(name)).toMatchObject({ state: 'stopped', agent: null, ssh: null });
    await vi.waitFor(() => expect(told).toBeGreaterThan(0), { timeout: 30_000 });
    await machines.ensureRunning(request, quiet);
    using after = await dial();
    expect((await after.containers.inspect('kept')).Id).toBe(Id);
  });

  it('stops, once', async () => {
    expect((await machines.stop(name, quiet)).state).toBe('stopped');
    expect(await processes()).toEqual([]);
    await expect(machines.stop(name, quiet)).rejects.toMatchObject({ code: 'already-stopped' });
  });

  it('goes without a trace', async () => {
    await machines.remove(name, quiet);
    expect(await machines.list()).toEqual([]);
    expect(await processes()).toEqual([]);
    const left = await readdir(home, { recursive: true });
    const traces = left.filter((path) => /machines.+|locks.+|meta\.json/.test(path.replace(/^(releases|newer).*/, '')));
    expect(traces).toEqual([]);
    await expect(machines.remove(name, quiet)).rejects.toMatchObject({ code: 'no-such-machine' });
  });
});
