import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { processStartTicks } from '../kernel/pidfd.ts';
import { collect, ContainerLab, Exits, program, until, withDeadline } from '../lab/container-lab.ts';
import { type ContainerId, type ExecId, newExecId } from '../model/ids.ts';
import type { ExecExit, ExecRequest, Monitor, StdioPlan } from './monitor.ts';

describeWith(['linux', 'root', { program }], 'execs at the monitor, with a real crun', () => {
  let lab: ContainerLab;
  let monitor: Monitor;
  let exits: Exits;
  let container: ContainerId;
  const ended: ExecExit[] = [];

  beforeAll(async () => {
    lab = new ContainerLab();
    monitor = await lab.open();
    exits = new Exits(monitor);
    monitor.onExecExit((exit) => ended.push(exit));
    container = await sleeping();
  });
  afterAll(async () => {
    for (const { id } of await monitor.containers()) {
      await monitor.signal(id, 9);
      await exits.of(id);
      await monitor.acknowledge(id);
    }
    const pids = monitor.processes().map(({ pid }) => pid);
    await monitor[Symbol.asyncDispose]();
    await until('the monitors to end', () => pids.every((pid) => processStartTicks(pid) === null));
    expect(readdirSync(join(lab.monitorFolder, 'execs'))).toEqual([]);
    await lab[Symbol.asyncDispose]();
    expect(existsSync(lab.folder)).toBe(false);
  });

  const sleeping = async (): Promise<ContainerId> => (await monitor.start(lab.request(['sleep', '600']))).id;
  const request = (args: readonly string[], more: Partial<ExecRequest> = {}): ExecRequest => ({
    id: newExecId(),
    container,
    runtime: { program, stateFolder: join(lab.folder, 'crun') },
    process: {
      terminal: more.stdio?.kind === 'terminal',
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: { bounding: [], effective: [], permitted: [] },
      rlimits: [],
      noNewPrivileges: true,
    },
    stdio: { kind: 'pipes', stdin: 'none' },
    detail: 'ours',
    ...more,
  });
  const all = ['stdin', 'stdout', 'stderr'] as const;
  const exitOf = async (id: ExecId): Promise<ExecExit> => {
    await until('the end of the exec', () => ended.some((exit) => exit.id === id));
    return ended.find((exit) => exit.id === id) ?? expect.fail('it has gone');
  };

  it('runs one, gives its streams, tells its end before that of its output, and knows it until it is forgotten', async () => {
    const exec = request(['sh', '-c', 'echo out; echo err >&2; exit 3']);
    const { stream } = await monitor.attach({ id: exec.id, wants: all, whenSlow: 'wait' });
    const output = collect(stream);
    const started = await monitor.exec(exec);
    expect(await withDeadline('the output', output)).toEqual({ stdout: 'out\n', stderr: 'err\n' });
    await exitOf(exec.id);
    expect(await monitor.execs()).toEqual([
      { started, detail: 'ours', exit: { id: exec.id, exitCode: 3, finishedAt: expect.anything() } },
    ]);
    await expect(monitor.exec(exec)).rejects.toMatchObject({ kind: 'conflict' });
    await monitor.forgetExec(exec.id);
    expect(await monitor.execs()).toEqual([]);
  });

  it('takes input, signals and sizes', async () => {
    const stdio: StdioPlan = { kind: 'pipes', stdin: 'once' };
    const cat = request(['cat'], { stdio });
    const { stream } = await monitor.attach({ id: cat.id, wants: all, whenSlow: 'wait' });
    stream.end('early\n');
    const output = collect(stream);
    await monitor.exec(cat);
    expect((await output).stdout).toBe('early\n');
    const sleep = request(['sleep', '60']);
    await monitor.exec(sleep);
    await monitor.signal(sleep.id, 9);
    expect((await exitOf(sleep.id)).exitCode).toBe(137);
    await expect(monitor.signal(sleep.id, 9)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(monitor.resize(newExecId(), { rows: 1, columns: 1 })).resolves.toBeUndefined();
    for (const { started } of await monitor.execs()) await monitor.forgetExec(started.id);
  });

  it('says why one cannot be run, in docker’s words, and leaves nothing', async () => {
    const cases = [
      [request(['nosuch']), 127, 'exec: "nosuch": executable file not found in $PATH'],
      [request(['/etc/no-program']), 126, 'permission denied'],
      [request(['true'], { container: newExecId() as string as ContainerId }), 128, 'OCI runtime exec failed'],
    ] as const;
    for (const [exec, exitCode, text] of cases) {
      const { stream } = await monitor.attach({ id: exec.id, wants: all, whenSlow: 'wait' });
      await expect(monitor.exec(exec)).rejects.toMatchObject({ exitCode, message: expect.stringContaining(text) });
      expect(await withDeadline('the end of the stream', collect(stream))).toEqual({ stdout: '', stderr: '' });
    }
    expect(await monitor.execs()).toEqual([]);
  });

  it('goes on for a skiffd that comes later, which can ask for the exit code', async () => {
    const exec = request(['sh', '-c', 'sleep 0.2; exit 6']);
    const running = request(['sleep', '60']);
    {
      await using first = await lab.open();
      await first.exec(exec);
      await first.exec(running);
    }
    await exitOf(exec.id);
    const second = await lab.open();
    const known = (await second.execs()).map(({ started, exit }) => [started.id, exit?.exitCode ?? null]);
    expect(known).toEqual([
      [exec.id, 6],
      [running.id, null],
    ]);
    await second.signal(running.id, 9);
    await exitOf(running.id);
    for (const { started } of await second.execs()) await second.forgetExec(started.id);
    await second[Symbol.asyncDispose]();
  });

  it('ends with its container', async () => {
    const other = await sleeping();
    const exec = request(['sleep', '60'], { container: other });
    await monitor.exec(exec);
    await monitor.signal(other, 9);
    expect((await exitOf(exec.id)).exitCode).toBe(137);
    await exits.of(other);
    await monitor.acknowledge(other);
    await monitor.forgetExec(exec.id);
  });

  it('is ended, and told as lost, when its monitor is killed', async () => {
    const exec = request(['sleep', '60']);
    const { pid } = await monitor.exec(exec);
    for (const { pid: monitorPid } of monitor.processes()) process.kill(monitorPid, 'SIGKILL');
    expect((await exitOf(exec.id)).exitCode).toBe(255);
    await until('the process to end', () => processStartTicks(pid) === null);
    // The container itself is adopted, and can be entered again.
    await until('the container to be adopted', () => monitor.processes().length > 0);
    const next = request(['true']);
    await monitor.exec(next);
    expect((await exitOf(next.id)).exitCode).toBe(0);
    await monitor.forgetExec(next.id);
  });
});
