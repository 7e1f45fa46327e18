import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker, eventually } from '../docker.ts';
import { pastEvents } from '../event-log.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface Health {
  readonly Status: string;
  readonly FailingStreak: number;
  readonly Log: readonly {
    readonly ExitCode: number;
    readonly Output: string;
    readonly Start: string;
    readonly End: string;
  }[];
}

const ms = 1e6;
/** Healthy once there is a file /ok. */
const probe = { Test: ['CMD-SHELL', 'echo looked; test -f /ok'], Interval: 100 * ms, Timeout: 60_000 * ms, Retries: 2 };

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'semantics: health checks', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const api = (method: string, path: string, body?: unknown): Promise<Answer> =>
    call(engine.socket, method, path, body);
  const health = async (id: string): Promise<Health | undefined> =>
    (await boxes.inspect<{ State: { Health?: Health } }>(id)).State.Health;
  const until = (id: string, status: string): Promise<Health> =>
    eventually(`${id} is ${status}`, async () => {
      const seen = await health(id);
      return seen?.Status === status ? seen : null;
    });
  const run = (id: string, script: string): Promise<unknown> => docker(engine.socket, ['exec', id, 'sh', '-c', script]);
  const statusText = async (id: string): Promise<string> =>
    ((await api('GET', `/containers/json?all=1&filters={"id":["${id}"]}`)).json() as { Status: string }[])[0]?.Status ??
    '';

  it('44: is starting, then unhealthy or healthy as the probes say, and tells each change once', async () => {
    // The first look takes until it is told to end.
    const Test = ['CMD-SHELL', `until [ -e /look ]; do usleep 10000; done; ${probe.Test[1]}`];
    const { id } = await boxes.create(['sleep', '600'], { config: { Healthcheck: { ...probe, Test } } });
    expect(await health(id)).toBeUndefined();
    await boxes.start(id);
    expect(await health(id)).toEqual({ Status: 'starting', FailingStreak: 0, Log: [] });
    expect(await statusText(id)).toMatch(/^Up .* \(health: starting\)$/);
    await run(id, 'touch /look');
    const failed = await until(id, 'unhealthy');
    expect(failed.FailingStreak).toBeGreaterThanOrEqual(2);
    expect(failed.Log.at(-1)).toMatchObject({ ExitCode: 1, Output: 'looked\n' });
    await run(id, 'touch /ok');
    expect(await until(id, 'healthy')).toMatchObject({ FailingStreak: 0 });
    expect(await statusText(id)).toMatch(/^Up .* \(healthy\)$/);
    const changes = await pastEvents(engine.socket, { container: [id], event: ['health_status'] });
    expect(changes.map(({ Action }) => Action)).toEqual(['health_status: unhealthy', 'health_status: healthy']);
    await eventually('a full log', async () => ((await health(id))?.Log.length === 5 ? true : null));
    await boxes.remove(id);
  });

  it('45: a probe is an exec, with the container’s user, folder and variables', async () => {
    const config = {
      Healthcheck: { ...probe, Test: ['CMD-SHELL', 'echo $(id -u) $(pwd) $KEY'] },
      User: '7',
      WorkingDir: '/tmp',
      Env: ['KEY=value'],
    };
    const id = await boxes.keep({ config });
    expect((await until(id, 'healthy')).Log[0]?.Output).toBe('7 /tmp value\n');
    const execs = await pastEvents(engine.socket, {
      container: [id],
      event: ['exec_create', 'exec_start', 'exec_die'],
    });
    expect(execs.slice(0, 3).map(({ Action }) => Action.split(':')[0])).toEqual([
      'exec_create',
      'exec_start',
      'exec_die',
    ]);
    expect(execs[2]?.Actor.Attributes['exitCode']).toBe('0');
    await boxes.remove(id);
  });

  it('44: a probe that takes too long is ended and counts as -1; long output is cut', async () => {
    const slow = await boxes.keep({
      config: { Healthcheck: { Test: ['CMD', 'sleep', '600'], Interval: 50 * ms, Timeout: 200 * ms, Retries: 1 } },
    });
    const loud = await boxes.keep({
      config: { Healthcheck: { ...probe, Test: ['CMD-SHELL', 'head -c 5000 /dev/zero | tr "\\0" x'] } },
    });
    const { Log } = await until(slow, 'unhealthy');
    expect(Log[0]).toMatchObject({ ExitCode: -1, Output: 'Health check exceeded timeout (200ms)' });
    expect((await until(loud, 'healthy')).Log[0]?.Output).toBe(`${'x'.repeat(4096)}...`);
    await eventually('the end of the probes', async () => {
      const { Processes } = (await api('GET', `/containers/${slow}/top`)).json() as { Processes: string[][] };
      // The container itself, and the probe that runs now.
      return Processes.length <= 2 ? true : null;
    });
    await boxes.remove(slow);
    await boxes.remove(loud);
  });

  it('27: nobody looks while it is paused, and after its end it is unhealthy', async () => {
    const id = await boxes.keep({ config: { Healthcheck: { ...probe, Test: ['CMD', 'true'] } } });
    await until(id, 'healthy');
    await api('POST', `/containers/${id}/pause`);
    expect((await health(id))?.Status).toBe('unhealthy');
    expect(await statusText(id)).toMatch(/\(Paused\)$/);
    const paused = (await health(id))?.Log.at(-1);
    await api('POST', `/containers/${id}/unpause`);
    await until(id, 'healthy');
    expect((await health(id))?.Log.at(-1)).not.toEqual(paused);
    await api('POST', `/containers/${id}/kill`);
    expect((await health(id))?.Status).toBe('unhealthy');
    await boxes.start(id);
    expect(['starting', 'healthy']).toContain((await health(id))?.Status);
    await boxes.remove(id);
  });

  it('the status outlives skiffd, and the probes go on', async () => {
    const id = await boxes.keep({ config: { Healthcheck: probe } });
    await run(id, 'touch /ok');
    await until(id, 'healthy');
    await engine.crash();
    await engine.start();
    expect((await health(id))?.Status).toBe('healthy');
    await run(id, 'rm /ok');
    await until(id, 'unhealthy');
    await boxes.remove(id);
  });

  it('50: lists by health', async () => {
    const good = await boxes.keep({ name: 'good', config: { Healthcheck: { ...probe, Test: ['CMD', 'true'] } } });
    const none = await boxes.keep({ name: 'none' });
    const off = await boxes.keep({ name: 'off', config: { Healthcheck: { Test: ['NONE'] } } });
    await until(good, 'healthy');
    const names = async (status: string): Promise<readonly string[]> =>
      ((await api('GET', `/containers/json?filters={"health":["${status}"]}`)).json() as { Names: string[] }[])
        .flatMap(({ Names }) => Names)
        .toSorted();
    expect(await names('healthy')).toEqual(['/good']);
    expect(await names('none')).toEqual(['/none', '/off']);
    await Promise.all([good, none, off].map((id) => boxes.remove(id)));
  });

  it.each([
    [{ Interval: 5 }, 'Interval in Healthcheck cannot be less than 1ms'],
    [{ Timeout: -1 }, 'Timeout in Healthcheck cannot be less than 1ms'],
    [{ StartPeriod: 999_999 }, 'StartPeriod in Healthcheck cannot be less than 1ms'],
    [{ StartInterval: 1 }, 'StartInterval in Healthcheck cannot be less than 1ms'],
    [{ Retries: -1 }, 'Retries in Healthcheck cannot be negative'],
  ])('refuses %j', async (Healthcheck, message) => {
    await expect(boxes.create('true', { config: { Healthcheck } })).rejects.toThrow(`400 {"message":"${message}"}`);
  });

  it('what inspect shows makes the same check again', async () => {
    const Healthcheck = { ...probe, StartPeriod: 3000 * ms, StartInterval: 20 * ms };
    const { id } = await boxes.create('true', { config: { Healthcheck, Shell: ['/bin/ash', '-c'] } });
    const { Config } = await boxes.inspect<{ Config: Record<string, unknown> }>(id);
    expect(Config).toMatchObject({ Healthcheck, Shell: ['/bin/ash', '-c'] });
    await boxes.remove(id);
  });
});
