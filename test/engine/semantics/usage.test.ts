import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StatsSample } from '../../../api/stats.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { docker, eventually } from '../docker.ts';
import { openRaw } from '../raw-stream.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface Table {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'semantics: top and stats', () => {
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine();
    await run('busy', ['sh', '-c', 'sleep 1000 & while :; do :; done'], ['--memory', '64m']);
    await run('ended', ['true']);
    await docker(engine.socket, ['wait', 'ended']);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const run = async (name: string, command: readonly string[], flags: readonly string[] = []): Promise<void> => {
    const ran = await docker(engine.socket, ['run', '-d', '--name', name, ...flags, 'hello', ...command]);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
  };
  const get = (path: string): Promise<Answer> => call(engine.socket, 'GET', path);
  const top = async (name: string, psArgs = ''): Promise<Table> =>
    (await get(`/containers/${name}/top?ps_args=${encodeURIComponent(psArgs)}`)).json() as Table;
  const stats = async (name: string, query: string): Promise<StatsSample> =>
    (await get(`/v1.45/containers/${name}/stats?${query}`)).json() as StatsSample;

  it('43: lists the container’s processes alone, with the ids that they have on the host', async () => {
    const { Titles: titles, Processes: processes } = await top('busy');
    expect(titles).toEqual(['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
    const inspected = (await get('/containers/busy/json')).json() as { State: { Pid: number } };
    const shell = processes.find(([, pid]) => Number(pid) === inspected.State.Pid);
    expect(shell?.[0]).toBe('root');
    expect(processes.map((row) => row.at(-1)).toSorted()).toEqual([
      'sh -c sleep 1000 & while :; do :; done',
      'sleep 1000',
    ]);
  });

  it('43: says of each column what ps says', async () => {
    const args = '-o pid,ppid,pgid,sid,uid,user,gid,comm,vsz,tty,stat,ni,nlwp,args';
    const { Processes: processes } = await top('busy', args);
    for (const row of processes) {
      const said = execFileSync('ps', [...args.split(' '), '--no-headers', '-q', row[0] ?? ''], { encoding: 'utf8' });
      // A process that is busy may be caught in another state.
      const plain = (text: string): string =>
        text
          .trim()
          .replace(/\s+/g, ' ')
          .replace(/ [RSD](s?\+?) /, ' ?$1 ');
      expect(plain(row.join(' '))).toBe(plain(said));
    }
  });

  it('43: takes arguments for no more than they are', async () => {
    for (const psArgs of ['; touch /tmp/x', '$(touch /tmp/x)', '--foo']) {
      const answer = await get(`/containers/busy/top?ps_args=${encodeURIComponent(psArgs)}`);
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('ps: error')]);
    }
    const ended = await get('/containers/ended/top');
    expect([ended.status, ended.text]).toEqual([409, expect.stringContaining('is not running')]);
    expect((await get('/containers/nobody/top')).status).toBe(404);
  });

  it('43: sees execs too', async () => {
    const exec = await docker(engine.socket, ['exec', '-d', 'busy', 'sleep', '1234']);
    expect(exec.exitCode).toBe(0);
    // It has started when crun's process is in the container, which a moment later is the command.
    const top = async (): Promise<string> => (await docker(engine.socket, ['top', 'busy', '-o', 'pid,args'])).stdout;
    await expect.poll(top).toContain('sleep 1234');
  });

  it('77: waits for two samples, and tells what was used between them', async () => {
    const {
      read,
      preread,
      cpu_stats: cpu,
      precpu_stats: before,
      memory_stats: memory,
      ...rest
    } = await stats('busy', 'stream=0');
    expect(Date.parse(read) - Date.parse(preread)).toBeGreaterThan(400);
    expect(cpu.cpu_usage.total_usage).toBeGreaterThan(before.cpu_usage.total_usage);
    expect(cpu.system_cpu_usage).toBeGreaterThan(before.system_cpu_usage ?? 0);
    expect(cpu.online_cpus).toBeGreaterThan(0);
    expect(memory.limit).toBe(64 * 1024 * 1024);
    expect(memory.usage).toBeGreaterThan(0);
    expect(rest.name).toBe('/busy');
    expect(rest.pids_stats?.current).toBeGreaterThanOrEqual(2);
    expect(Object.keys(rest.networks ?? {})).toEqual(['eth0']);
    const shown = await docker(engine.socket, ['stats', '--no-stream', '--format', '{{.Name}} {{.CPUPerc}}', 'busy']);
    expect(shown.stdout).toMatch(/^busy [1-9]\d*\.\d\d%\n$/);
  });

  it('77: answers at once when one sample is enough, and for a container that does not run', async () => {
    const one = await stats('busy', 'stream=0&one-shot=1');
    expect(one).toMatchObject({ preread: '0001-01-01T00:00:00Z', precpu_stats: { cpu_usage: { total_usage: 0 } } });
    expect(one.cpu_stats.cpu_usage.total_usage).toBeGreaterThan(0);
    const none = await get('/v1.45/containers/ended/stats?stream=0');
    expect(none.status).toBe(200);
    expect(none.json()).toMatchObject({
      name: '/ended',
      read: '0001-01-01T00:00:00Z',
      pids_stats: {},
      memory_stats: {},
      cpu_stats: { cpu_usage: { total_usage: 0 } },
    });
    const both = await get('/v1.45/containers/busy/stats?one-shot=1');
    expect([both.status, both.json()]).toEqual([400, { message: 'cannot have stream=true and one-shot=true' }]);
  });

  it('77: streams a sample a second to each who watches, until the container is removed', async () => {
    await run('watched', ['sleep', '600'], ['--network', 'none']);
    const open = (): ReturnType<typeof openRaw> =>
      openRaw(engine.socket, { method: 'GET', path: '/v1.45/containers/watched/stats', upgrade: 'none' });
    using first = await open();
    using second = await open();
    const count = (text: string): number => text.split('"preread"').length - 1;
    for (const stream of [first, second]) await stream.until((text) => count(text) >= 3, 'three samples');
    const samples = first
      .received()
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as StatsSample);
    expect(samples[1]?.preread).toBe(samples[0]?.read);
    expect(samples[0]?.networks).toBeUndefined();
    await docker(engine.socket, ['rm', '-f', 'watched']);
    // The last chunk of an HTTP/1.1 answer: it has come to its end.
    await eventually('the end', () => (first.received().toString().endsWith('0\r\n\r\n') ? true : null));
  });
});
