/**
 * skiffd ends with KILL at each point where something is half done; started again, each step has one of its two honest
 * outcomes, the container can be used on, and after its removal nothing is left of it on the computer.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { eventually } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';
import { tracesOf } from './traces.ts';

interface Seen {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Status: string; readonly Pid: number; readonly ExitCode: number; readonly Error: string };
  readonly HostConfig: { readonly PidsLimit: number | null };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
}

/** What the container is before: `none`, or created, running or paused, with what its create body adds. */
interface Scenario {
  readonly point: string;
  readonly before: 'none' | 'created' | 'running' | 'paused';
  readonly host?: Readonly<Record<string, unknown>>;
  readonly act: (api: Api) => Promise<unknown>;
  /** After the engine's return. */
  readonly outcome: (seen: Seen | null) => void;
}

type Api = (method: string, path: string, body?: unknown) => Promise<Answer>;

const name = 'victim';
const create: Scenario['act'] = (api) =>
  api('POST', `/containers/create?name=${name}`, { Image: 'hello', Cmd: ['sleep', '600'], Volumes: { '/kept': {} } });
const post =
  (verb: string, body?: unknown): Scenario['act'] =>
  (api) =>
    api('POST', `/containers/${name}/${verb}`, body);
const remove: Scenario['act'] = (api) => api('DELETE', `/containers/${name}?force=1&v=1`);
const has =
  (...statuses: readonly string[]): Scenario['outcome'] =>
  (seen) =>
    expect(statuses).toContain(seen?.State.Status ?? 'gone');
const always = { RestartPolicy: { Name: 'always' } };

const scenarios: readonly Scenario[] = [
  { point: 'create:begun', before: 'none', act: create, outcome: has('gone') },
  { point: 'create:done', before: 'none', act: create, outcome: has('gone') },
  { point: 'created:written', before: 'none', act: create, outcome: has('created') },
  {
    point: 'start:begun',
    before: 'created',
    act: post('start'),
    outcome: (seen) =>
      expect(seen?.State).toMatchObject({
        Status: 'created',
        Error: expect.stringContaining('stopped while') as string,
      }),
  },
  { point: 'start:done', before: 'created', act: post('start'), outcome: has('running') },
  { point: 'running:written', before: 'created', act: post('start'), outcome: has('running') },
  { point: 'history:written', before: 'running', act: post('stop?t=0'), outcome: has('running') },
  {
    point: 'exited:written',
    before: 'running',
    act: post('kill'),
    outcome: (seen) => expect(seen?.State).toMatchObject({ Status: 'exited', ExitCode: 137 }),
  },
  {
    point: 'restarting:written',
    before: 'created',
    host: always,
    act: crashLoop,
    outcome: has('running', 'restarting'),
  },
  { point: 'restart:begun', before: 'running', act: post('restart?t=0'), outcome: has('running') },
  { point: 'pause:begun', before: 'running', act: post('pause'), outcome: has('running') },
  { point: 'pause:done', before: 'running', act: post('pause'), outcome: has('paused') },
  { point: 'paused:written', before: 'running', act: post('pause'), outcome: has('paused') },
  { point: 'unpause:begun', before: 'paused', act: post('unpause'), outcome: has('paused') },
  { point: 'unpause:done', before: 'paused', act: post('unpause'), outcome: has('running') },
  { point: 'update:begun', before: 'running', act: post('update', { PidsLimit: 99 }), outcome: hasPidsLimit },
  { point: 'update:done', before: 'running', act: post('update', { PidsLimit: 99 }), outcome: hasPidsLimit },
  {
    point: 'name:written',
    before: 'running',
    act: post('rename?name=victim-two'),
    outcome: (seen) => expect(seen).toMatchObject({ Name: '/victim-two', State: { Status: 'running' } }),
  },
  { point: 'connect:begun', before: 'running', act: connect, outcome: isIn('bridge') },
  { point: 'connect:done', before: 'running', act: connect, outcome: isIn('bridge') },
  { point: 'disconnect:begun', before: 'running', act: disconnect, outcome: isIn() },
  { point: 'disconnect:done', before: 'running', act: disconnect, outcome: isIn() },
  { point: 'remove:begun', before: 'running', act: remove, outcome: has('gone', 'dead') },
  { point: 'remove:done', before: 'running', act: remove, outcome: has('gone', 'dead') },
];

async function crashLoop(api: Api): Promise<void> {
  await api('POST', `/containers/${name}/start`);
  const { State } = (await api('GET', `/containers/${name}/json`)).json() as Seen;
  process.kill(State.Pid, 'SIGKILL');
}

async function connect(api: Api): Promise<void> {
  await api('POST', '/networks/spare/connect', { Container: name });
}

async function disconnect(api: Api): Promise<void> {
  await api('POST', '/networks/bridge/disconnect', { Container: name });
}

function isIn(...networks: readonly string[]): Scenario['outcome'] {
  return (seen) => {
    expect(seen?.State.Status).toBe('running');
    expect(Object.keys(seen?.NetworkSettings.Networks ?? {})).toEqual(networks);
  };
}

/** In the row as in the kernel. */
function hasPidsLimit(seen: Seen | null): void {
  const lines = readFileSync(`/proc/${seen?.State.Pid ?? 0}/cgroup`, 'utf8').split('\n');
  const group = lines.find((line) => line.includes(':pids:'))?.split(':')[2];
  const file =
    group === undefined
      ? `/sys/fs/cgroup${lines[0]?.split(':')[2] ?? ''}/pids.max`
      : `/sys/fs/cgroup/pids${group}/pids.max`;
  const inKernel = readFileSync(file, 'utf8').trim();
  expect([99, null, 0]).toContain(seen?.HostConfig.PidsLimit ?? null);
  expect(inKernel).toBe(seen?.HostConfig.PidsLimit === 99 ? '99' : 'max');
}

describeWith(['linux', 'root', { program: 'crun' }], 'skiffd killed at every step', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    await call(engine.socket, 'POST', '/networks/create', { Name: 'spare' });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const api: Api = (method, path, body) => call(engine.socket, method, path, body);
  const look = async (id: string): Promise<Seen | null> => {
    const answer = await api('GET', `/containers/${id}/json`);
    return answer.status === 404 ? null : (answer.json() as Seen);
  };
  const arrange = async ({ before, host }: Scenario): Promise<void> => {
    if (before === 'none') return;
    await boxes.create(['sleep', '600'], {
      name,
      host: { NetworkMode: 'default', ...host },
      config: { Volumes: { '/kept': {} } },
    });
    if (before !== 'created') await api('POST', `/containers/${name}/start`);
    if (before === 'paused') await api('POST', `/containers/${name}/pause`);
  };
  /** Anonymous ones: they go with their container. */
  const volumes = async (): Promise<readonly unknown[]> =>
    ((await api('GET', '/volumes')).json() as { Volumes: unknown[] | null }).Volumes ?? [];
  /** The id of the container that a scenario is about, also of one that is not listed. */
  const idOf = async (): Promise<string | null> => {
    const found = (await api('GET', '/containers/json?all=1')).json() as { Id: string }[];
    return found[0]?.Id ?? null;
  };

  it.each(scenarios)('at $point, with a container that is $before', async (scenario) => {
    await arrange(scenario);
    const before = await idOf();
    engine.dieAt(scenario.point);
    await scenario.act(api).catch(() => null);
    await eventually('the fault', () => (isAlive(engine.pid()) ? null : true));
    await engine.crash();
    await engine.start();
    const id = before ?? (await idOf());
    await eventually('the outcome', async () => {
      const seen = id === null ? null : await look(id);
      // What boot starts again is started when the API is there already.
      if (scenario.point === 'restart:begun' && seen?.State.Status === 'exited') return null;
      scenario.outcome(seen);
      return true;
    });
    if (id === null) return expect(await volumes()).toEqual([]);
    const seen = await look(id);
    if (seen !== null && ['created', 'exited'].includes(seen.State.Status))
      expect((await api('POST', `/containers/${id}/start`)).status).toBe(204);
    if (seen !== null) expect(tracesOf(id, engine)).not.toEqual([]);
    await boxes.remove(id);
    expect(await look(id)).toBeNull();
    expect(await volumes()).toEqual([]);
    await eventually('no trace', () => {
      const traces = tracesOf(id, engine);
      return traces.length === 0 ? true : null;
    }).catch(() => expect(tracesOf(id, engine)).toEqual([]));
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A process that has ended and is not reaped yet still has its number.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
