import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { ContainerLab, Exits, program, until, withDeadline } from '../lab/container-lab.ts';
import { processStartTicks } from '../kernel/pidfd.ts';
import type { Monitor, StartRequest } from './monitor.ts';

const client = fileURLToPath(new URL('../lab/monitor-client.ts', import.meta.url));

describeWith(['linux', 'root', { program }], 'crashes', () => {
  let lab: ContainerLab;
  beforeEach(() => {
    lab = new ContainerLab();
  });
  afterEach(async () => {
    await until(`nothing to be left: ${lab.leftovers().join(', ')}`, () => lab.leftovers().length === 0);
    await lab[Symbol.asyncDispose]();
  });

  /** A skiffd of its own process, that has started a container. */
  async function skiffd(request: StartRequest): Promise<ChildProcess> {
    const task = join(lab.folder, 'task.json');
    writeFileSync(task, JSON.stringify({ options: lab.monitorOptions(), request }));
    const child = spawn(process.execPath, ['--no-warnings', client, task], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (child.stdout === null) throw new Error('the stand-in has no stdout');
    await withDeadline('the stand-in to start its container', once(child.stdout, 'data'));
    return child;
  }

  async function ended(monitor: Monitor): Promise<void> {
    await monitor[Symbol.asyncDispose]();
    await until('the monitors to end', () => !readdirSync(lab.monitorFolder).some((name) => name.endsWith('.sock')));
  }

  it('loses no line and no exit code when skiffd is killed in the middle of output', async () => {
    const request = lab.request(['sh', '-c', 'seq 1 50000; sleep 0.3; seq 50001 100000; exit 9']);
    const first = await skiffd(request);
    first.kill('SIGKILL');
    await once(first, 'exit');
    const monitor = await lab.open();
    expect((await new Exits(monitor).of(request.id)).exitCode).toBe(9);
    const lines = lab.logOf(request).map(({ log }) => log);
    expect(lines.join('') === Array.from({ length: 100_000 }, (_, at) => `${at + 1}\n`).join('')).toBe(true);
    await monitor.acknowledge(request.id);
    await ended(monitor);
  });

  it('tells an exit that happened while no skiffd was there, until one has acknowledged it', async () => {
    const request = lab.request(['sh', '-c', 'sleep 0.2; exit 4']);
    const first = await skiffd(request);
    first.kill('SIGKILL');
    await until('the exit record', () => readdirSync(join(lab.monitorFolder, 'exits')).includes(`${request.id}.json`));
    // The monitor has ended, too: nobody was connected.
    await until('the monitor to end', () => !readdirSync(lab.monitorFolder).some((name) => name.endsWith('.sock')));
    for (const isLast of [false, true]) {
      const monitor = await lab.open();
      expect((await new Exits(monitor).of(request.id)).exitCode).toBe(4);
      if (isLast) await monitor.acknowledge(request.id);
      await ended(monitor);
    }
    const monitor = await lab.open();
    const exits = new Exits(monitor);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(exits.records).toEqual([]);
    await ended(monitor);
  });

  it('finds running containers again, attaches to them, signals them', async () => {
    const request = lab.request(['sh', '-c', 'read line; echo got $line; sleep 60'], {
      stdio: { kind: 'pipes', stdin: 'open' },
    });
    const first = await skiffd(request);
    first.kill('SIGKILL');
    const monitor = await lab.open();
    const [found] = await monitor.containers();
    expect(found).toMatchObject({ id: request.id, hold: 'owned' });
    expect(processStartTicks(found?.pid ?? 0)).toBe(found?.startTicks);
    const { stream } = await monitor.attach({ id: request.id, wants: ['stdin', 'stdout'], whenSlow: 'drop' });
    stream.write('it\n');
    const data = once(stream, 'data');
    stream.resume();
    const [chunk] = (await withDeadline('output', data)) as [Buffer];
    expect(chunk.toString()).toContain('got it');
    const exits = new Exits(monitor);
    await monitor.signal(request.id, 9);
    expect((await exits.of(request.id)).exitCode).toBe(137);
    await monitor.acknowledge(request.id);
    await ended(monitor);
  });

  it('keeps containers under watch when the monitor itself is killed, and says that their exit codes are not known', async () => {
    const monitor = await lab.open();
    const exits = new Exits(monitor);
    const staying = lab.request(['sleep', '61']);
    const ending = lab.request(['sleep', '62']);
    const starts = await Promise.all([monitor.start(staying), monitor.start(ending)]);
    const [victim] = monitor.processes();
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await until('another monitor', () => monitor.processes().some(({ pid }) => pid !== victim?.pid));
    await until('the containers to be adopted', () => lab.reports.length > 0);
    const adopted = await monitor.containers();
    expect(adopted.map(({ id, pid, hold }) => ({ id, pid, hold })).sort(byPid)).toEqual(
      starts.map(({ id, pid }) => ({ id, pid, hold: 'adopted' })).sort(byPid),
    );
    await monitor.signal(ending.id, 15);
    await monitor.signal(ending.id, 9);
    expect(await exits.of(ending.id)).toMatchObject({ exitCode: 255, isExitCodeKnown: false });
    await monitor.acknowledge(ending.id);
    const next = lab.request(['true']);
    await monitor.start(next);
    expect((await exits.of(next.id)).exitCode).toBe(0);
    await monitor.acknowledge(next.id);
    await monitor.signal(staying.id, 9);
    await exits.of(staying.id);
    await monitor.acknowledge(staying.id);
    await ended(monitor);
  });

  it('leaves containers with the monitor of the build before, and gives it no new ones', async () => {
    const old = await lab.open('0123456789ab');
    const request = lab.request(['sh', '-c', 'read x; exit 6'], { stdio: { kind: 'pipes', stdin: 'open' } });
    await old.start(request);
    await old[Symbol.asyncDispose]();
    const monitor = await lab.open();
    const exits = new Exits(monitor);
    const fresh = lab.request(['true']);
    await monitor.start(fresh);
    expect((await exits.of(fresh.id)).exitCode).toBe(0);
    expect(
      monitor
        .processes()
        .map(({ isCurrent }) => isCurrent)
        .sort(),
    ).toEqual([false, true]);
    const { stream } = await monitor.attach({ id: request.id, wants: ['stdin'], whenSlow: 'drop' });
    stream.end('x\n');
    expect((await exits.of(request.id)).exitCode).toBe(6);
    for (const { id } of [request, fresh]) await monitor.acknowledge(id);
    await ended(monitor);
  });

  it('removes the sockets of monitors that are gone', async () => {
    writeFileSync(join(lab.folder, 'nothing'), '');
    const before = await lab.open();
    const started = lab.request(['true']);
    const exits = new Exits(before);
    await before.start(started);
    await exits.of(started.id);
    await before.acknowledge(started.id);
    const [victim] = before.processes();
    await until('crun delete', () => lab.leftovers().length === 0);
    // Left alone it would soon end by itself, and take its socket along.
    process.kill(victim?.pid ?? 0, 'SIGSTOP');
    await before[Symbol.asyncDispose]();
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await until('its end', () => processStartTicks(victim?.pid ?? 0) === null);
    const monitor = await lab.open();
    const again = lab.request(['true']);
    await monitor.start(again);
    await new Exits(monitor).of(again.id);
    await monitor.acknowledge(again.id);
    expect(readdirSync(lab.monitorFolder).filter((name) => name.endsWith('.sock'))).toHaveLength(1);
    await ended(monitor);
  });
});

function byPid(left: { readonly pid: number }, right: { readonly pid: number }): number {
  return left.pid - right.pid;
}
