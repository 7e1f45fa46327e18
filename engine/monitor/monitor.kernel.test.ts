import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { collect, ContainerLab, Exits, program, until, withDeadline } from '../lab/container-lab.ts';
import { processStartTicks } from '../kernel/pidfd.ts';
import { newContainerId } from '../model/ids.ts';
import { unlimited } from '../runtime/container-settings.ts';
import type { Monitor, StdioPlan } from './monitor.ts';

describeWith(['linux', 'root', { program }], 'the monitor, with a real crun', () => {
  let lab: ContainerLab;
  let monitor: Monitor;
  let exits: Exits;
  beforeAll(async () => {
    lab = new ContainerLab();
    monitor = await lab.open();
    exits = new Exits(monitor);
  });
  afterEach(async () => {
    for (const { id } of exits.records.splice(0)) await monitor.acknowledge(id);
    await until(`nothing to be left: ${lab.leftovers().join(', ')}`, () => lab.leftovers().length === 0);
  });
  afterAll(async () => {
    const pids = monitor.processes().map(({ pid }) => pid);
    await monitor[Symbol.asyncDispose]();
    // The monitor ends by itself, and takes its files with it.
    await until('the monitors to end', () => pids.every((pid) => processStartTicks(pid) === null));
    expect(readdirSync(lab.monitorFolder).sort()).toEqual(['execs', 'exits', 'running']);
    expect(lab.reports).toEqual([]);
    await lab[Symbol.asyncDispose]();
    expect(existsSync(lab.folder)).toBe(false);
  });

  const all = ['stdin', 'stdout', 'stderr'] as const;

  it('runs a container, logs both streams, gives them to those attached, and tells its exit code', async () => {
    const request = lab.request(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    const attachment = await monitor.attach({ id: request.id, wants: all, whenSlow: 'wait' });
    const output = collect(attachment.stream);
    const started = await monitor.start(request);
    const record = await exits.of(request.id);
    expect(await output).toEqual({ stdout: 'out\n', stderr: 'err\n' });
    expect(record).toMatchObject({
      pid: started.pid,
      exitCode: 7,
      signal: null,
      isOutOfMemory: false,
      isExitCodeKnown: true,
    });
    expect(record.finishedAt).toBeGreaterThanOrEqual(started.startedAt);
    expect(
      lab
        .logOf(request)
        .map(({ log, stream }) => `${stream} ${log}`)
        .sort(),
    ).toEqual(['stderr err\n', 'stdout out\n']);
  });

  it('gives real pipes: /dev/stdout can be opened', async () => {
    const request = lab.request(['sh', '-c', 'echo one >/dev/stdout; echo two >/dev/stderr']);
    await monitor.start(request);
    await exits.of(request.id);
    expect(lab.logOf(request).map(({ log }) => log)).toEqual(['one\n', 'two\n']);
  });

  it('sends signals, and tells which one ended the container', async () => {
    const request = lab.request([
      'sh',
      '-c',
      'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.01; done',
    ]);
    await monitor.start(request);
    await until('the trap', () => lab.logOf(request).length > 0);
    expect(await monitor.containers()).toMatchObject([{ id: request.id, hold: 'owned' }]);
    await monitor.signal(request.id, 15);
    expect(await exits.of(request.id)).toMatchObject({ exitCode: 3, signal: null });
    expect(lab.logOf(request).at(-1)?.log).toBe('got it\n');

    const killed = lab.request(['sleep', '60']);
    await monitor.start(killed);
    await monitor.signal(killed.id, 9);
    expect(await exits.of(killed.id)).toMatchObject({ exitCode: 137, signal: 9, isOutOfMemory: false });
    await expect(monitor.signal(killed.id, 9)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('passes stdin and its end on, also what came before the start', async () => {
    const stdio: StdioPlan = { kind: 'pipes', stdin: 'once' };
    const request = lab.request(['sh', '-c', 'cat; echo after'], { stdio });
    const { stream } = await monitor.attach({ id: request.id, wants: all, whenSlow: 'wait' });
    stream.write('early ');
    const output = collect(stream);
    await monitor.start(request);
    stream.end('late\n');
    expect((await withDeadline('the output', output)).stdout).toBe('early late\nafter\n');
    expect((await exits.of(request.id)).exitCode).toBe(0);
  });

  it('takes a megabyte of stdin that had ended before the start', async () => {
    const request = lab.request(['wc', '-c'], { stdio: { kind: 'pipes', stdin: 'once' } });
    const { stream } = await monitor.attach({ id: request.id, wants: all, whenSlow: 'wait' });
    stream.end(Buffer.alloc(1_000_000, 'x'));
    const output = collect(stream);
    await monitor.start(request);
    expect((await withDeadline('the output', output)).stdout.trim()).toBe('1000000');
  });

  it('keeps an open stdin open whoever leaves', async () => {
    const request = lab.request(['sh', '-c', 'read a; read b; echo $a $b'], {
      stdio: { kind: 'pipes', stdin: 'open' },
    });
    await monitor.start(request);
    const first = await monitor.attach({ id: request.id, wants: ['stdin'], whenSlow: 'drop' });
    first.stream.end('one\n');
    const second = await monitor.attach({ id: request.id, wants: all, whenSlow: 'drop' });
    const output = collect(second.stream);
    second.stream.write('two\n');
    expect((await withDeadline('the output', output)).stdout).toBe('one two\n');
    await first[Symbol.asyncDispose]();
  });

  it('gives a terminal of the size that was asked for before and after the start', async () => {
    const stdio: StdioPlan = { kind: 'terminal', stdin: 'open', size: null };
    const request = lab.request(['sh', '-c', 'tty; stty size; read x; stty size; test -t 0 && test -t 1 && exit 5'], {
      stdio,
    });
    const { stream } = await monitor.attach({ id: request.id, wants: all, whenSlow: 'wait' });
    const output = collect(stream, 'raw');
    await monitor.resize(request.id, { columns: 101, rows: 41 });
    await monitor.start(request);
    await until('the first size', () => lab.logOf(request).length >= 2);
    await monitor.resize(request.id, { columns: 102, rows: 42 });
    stream.write('x\n');
    expect((await withDeadline('the output', output)).stdout).toBe('/dev/pts/0\r\n41 101\r\nx\r\n42 102\r\n');
    expect((await exits.of(request.id)).exitCode).toBe(5);
    expect(lab.logOf(request).map(({ stream: name }) => name)).toEqual(['stdout', 'stdout', 'stdout', 'stdout']);
  });

  it('resizes terminals only', async () => {
    const request = lab.request(['sleep', '60']);
    await monitor.start(request);
    await expect(monitor.resize(request.id, { columns: 80, rows: 24 })).rejects.toMatchObject({ kind: 'conflict' });
    await monitor.signal(request.id, 9);
    await exits.of(request.id);
  });

  it('brings 100 000 lines whole to the log and to an attached client', async () => {
    const request = lab.request(['seq', '1', '100000']);
    const { stream } = await monitor.attach({ id: request.id, wants: all, whenSlow: 'wait' });
    const output = collect(stream);
    await monitor.start(request);
    await exits.of(request.id);
    const expected = Array.from({ length: 100_000 }, (_, at) => `${at + 1}\n`).join('');
    expect((await output).stdout === expected).toBe(true);
    expect(
      lab
        .logOf(request)
        .map(({ log }) => log)
        .join('') === expected,
    ).toBe(true);
  });

  it('drops a slow client that may not be waited for, and neither log nor container stall', async () => {
    const request = lab.request(['sh', '-c', 'head -c 40000000 /dev/zero | tr "\\0" x; echo; echo done']);
    const slow = await monitor.attach({ id: request.id, wants: all, whenSlow: 'drop' });
    slow.stream.on('error', () => undefined);
    const closed = once(slow.stream, 'close');
    await monitor.start(request);
    expect((await exits.of(request.id)).exitCode).toBe(0);
    expect(
      readFileSync(request.log.driver === 'none' ? '' : request.log.path)
        .subarray(-100)
        .toString(),
    ).toContain('done');
    slow.stream.resume();
    await withDeadline('the client to be dropped', closed);
  }, 60_000);

  it('makes a container wait for a slow client that must lose nothing', async () => {
    const request = lab.request(['sh', '-c', 'head -c 40000000 /dev/zero'], { log: { driver: 'none' } });
    const { stream } = await monitor.attach({ id: request.id, wants: all, whenSlow: 'wait' });
    await monitor.start(request);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await monitor.containers()).toHaveLength(1);
    expect((await withDeadline('the output', collect(stream))).stdout.length).toBe(40_000_000);
    await exits.of(request.id);
  });

  it.each([
    { args: ['nosuch'], exitCode: 127, text: 'exec: "nosuch": executable file not found in $PATH' },
    { args: ['/nosuch'], exitCode: 127, text: 'exec: "/nosuch": stat /nosuch: no such file or directory' },
    { args: ['/etc/no-program'], exitCode: 126, text: 'exec: "/etc/no-program": permission denied' },
    { args: ['/etc'], exitCode: 126, text: 'exec: "/etc": permission denied' },
  ])('says why $args.0 cannot be started, and leaves nothing', async ({ args, exitCode, text }) => {
    const request = lab.request(args);
    const { stream } = await monitor.attach({ id: request.id, wants: all, whenSlow: 'wait' });
    const output = collect(stream);
    await expect(monitor.start(request)).rejects.toMatchObject({
      exitCode,
      message: expect.stringContaining(text) as string,
    });
    expect(await withDeadline('those attached to be sent away', output)).toEqual({ stdout: '', stderr: '' });
    expect(lab.leftovers()).toEqual([]);
    expect(await monitor.containers()).toEqual([]);
  });

  it('says why else a container cannot be started', async () => {
    const request = lab.request(['true'], { settings: { workingDir: '/nosuch/../etc/no-program' } });
    await expect(monitor.start(request)).rejects.toMatchObject({ exitCode: 128 });
    expect(lab.leftovers()).toEqual([]);
  });

  it('can start an id again once its exit is acknowledged, not before', async () => {
    const request = lab.request(['echo', 'again']);
    await monitor.start(request);
    await exits.of(request.id);
    await expect(monitor.start(request)).rejects.toMatchObject({ kind: 'conflict' });
    await monitor.acknowledge(request.id);
    exits.records.length = 0;
    await monitor.start(request);
    await expect(monitor.start(request)).rejects.toMatchObject({ kind: 'conflict' });
    await exits.of(request.id);
    expect(lab.logOf(request).map(({ log }) => log)).toEqual(['again\n', 'again\n']);
  });

  it('runs two at once, each with its own output', async () => {
    const requests = ['a', 'b'].map((name) =>
      lab.request(['sh', '-c', `for i in $(seq 100); do echo ${name}; done; sleep 0.05`]),
    );
    await Promise.all(requests.map((request) => monitor.start(request)));
    await Promise.all(requests.map(({ id }) => exits.of(id)));
    expect(requests.map((request) => new Set(lab.logOf(request).map(({ log }) => log)))).toEqual([
      new Set(['a\n']),
      new Set(['b\n']),
    ]);
  });

  it('does not wait for ever for a pipe that something outside still holds', async () => {
    // A container in the host's pid namespace: its children outlive its first process, and hold its stdout.
    const request = lab.request(['sh', '-c', 'sleep 61 & echo started'], {
      settings: { namespaces: { network: 'private', pid: 'host', ipc: 'private', uts: 'private', cgroup: 'private' } },
      request: { drainTimeoutMs: 100 },
    });
    await monitor.start(request);
    expect((await exits.of(request.id)).exitCode).toBe(0);
    expect(lab.logOf(request).map(({ log }) => log)).toEqual(['started\n']);
  });

  it('tells that the kernel killed a container for want of memory', async () => {
    const memoryBytes = 16 * 1024 * 1024;
    const request = lab.request(['sh', '-c', 'x=$(head -c 60000000 /dev/zero | tr "\\0" x); echo ${#x}'], {
      settings: { resources: { ...unlimited, memoryBytes } },
    });
    await monitor.start(request);
    const record = await exits.of(request.id);
    expect(record).toMatchObject({ isOutOfMemory: true });
    expect(record.exitCode).not.toBe(0);
  });

  it('ends those who wait for a container that never starts when skiffd lets them go', async () => {
    const { stream } = await monitor.attach({ id: newContainerId(), wants: all, whenSlow: 'drop' });
    stream.destroy();
    await once(stream, 'close');
  });
});
