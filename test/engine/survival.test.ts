import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../skip.ts';
import { call } from './api.ts';
import { docker, eventually, type Ran } from './docker.ts';
import { type RunningEngine, startEngine } from './start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'skiffd killed at any moment', () => {
  let engine: RunningEngine;
  const run = (words: readonly string[], input?: string): Promise<Ran> => docker(engine.socket, words, input);
  beforeAll(async () => void (engine = await startEngine()));
  afterAll(() => engine[Symbol.asyncDispose]());

  it('stops no container and loses no line of its log', async () => {
    await run([
      'run',
      '-d',
      '--name',
      'counter',
      'hello',
      'sh',
      '-c',
      'for i in $(seq 400); do echo $i; sleep 0.005; done; exit 5',
    ]);
    await engine.crash();
    await engine.start();
    expect((await run(['logs', '-f', 'counter'])).stdout).toBe(
      Array.from({ length: 400 }, (_, i) => `${i + 1}\n`).join(''),
    );
    expect((await run(['wait', 'counter'])).stdout).toBe('5\n');
    await run(['rm', 'counter']);
  });

  it('learns at its return what ended meanwhile, and with which exit code', async () => {
    const script = 'until [ -e /go ]; do usleep 10000; done; echo last words; exit 42';
    await run(['run', '-d', '--name', 'short', 'hello', 'sh', '-c', script]);
    await run(['run', '-d', '--rm', '--name', 'gone', 'hello', 'sleep', '600']);
    const [short = 0, gone = 0] = await Promise.all(
      ['short', 'gone'].map(async (name) => Number((await run(['inspect', '-f', '{{.State.Pid}}', name])).stdout)),
    );
    await engine.crash();
    writeFileSync(`/proc/${short}/root/go`, '');
    process.kill(gone, 'SIGKILL');
    await eventually('the ends of the containers', () => (isAlive(short) || isAlive(gone) ? null : true));
    await engine.start();
    expect((await run(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'short'])).stdout).toBe('exited 42\n');
    expect((await run(['logs', 'short'])).stdout).toBe('last words\n');
    await eventually('the removal', async () => ((await run(['inspect', 'gone'])).exitCode === 1 ? true : null));
    await run(['rm', 'short']);
  });

  it('goes on publishing ports and can stop what it took over', async () => {
    await run(['run', '-d', '--name', 'web', '-p', '127.0.0.1::80', 'hello', 'httpd', '-f', '-p', '80']);
    const before = (await run(['port', 'web'])).stdout;
    await engine.crash();
    await engine.start();
    expect((await run(['port', 'web'])).stdout).toBe(before);
    const port = /:(\d+)/.exec(before)?.[1] ?? '';
    expect(await run(['run', '--rm', '-p', `127.0.0.1:${port}:80`, 'hello'])).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining('already'),
    });
    expect(await run(['stop', '-t', '1', 'web'])).toMatchObject({ exitCode: 0 });
    expect(await run(['start', 'web'])).toMatchObject({ exitCode: 0 });
    await run(['rm', '-f', 'web']);
  });

  it('is whole again after a kill in the middle of many starts and removals', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `many${i}`);
    const created = names.map((name) =>
      call(engine.socket, 'POST', `/containers/create?name=${name}`, { Image: 'hello', Cmd: ['sleep', '30'] }),
    );
    await Promise.all(created);
    const starting = names.map((name) => call(engine.socket, 'POST', `/containers/${name}/start`).catch(() => null));
    await new Promise((resolve) => setTimeout(resolve, 40));
    await engine.crash();
    await Promise.all(starting);
    await engine.start();
    const states = JSON.parse((await call(engine.socket, 'GET', '/containers/json?all=1')).text) as {
      Names: string[];
      State: string;
      Id: string;
    }[];
    expect(states.map(({ Names }) => Names[0]).toSorted()).toEqual(names.map((name) => `/${name}`).toSorted());
    for (const { State } of states) expect(['created', 'running']).toContain(State);
    // What says it runs, runs; what does not, can be started.
    for (const { Id, State } of states) {
      const { status, text } = await call(engine.socket, 'POST', `/containers/${Id}/start`);
      expect(status, text).toBe(State === 'running' ? 304 : 204);
    }
    const removing = states.map(({ Id }) =>
      call(engine.socket, 'DELETE', `/containers/${Id}?force=1`).catch(() => null),
    );
    await new Promise((resolve) => setTimeout(resolve, 40));
    await engine.crash();
    await Promise.all(removing);
    await engine.start();
    const left = JSON.parse((await call(engine.socket, 'GET', '/containers/json?all=1')).text) as { Id: string }[];
    for (const { Id } of left)
      expect((await call(engine.socket, 'DELETE', `/containers/${Id}?force=1`)).status).toBe(204);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(`${engine.dataRoot}/containers`);
  });

  it('refuses a second engine on its data root', async () => {
    await expect(startEngine({ flags: ['--data-root', engine.dataRoot] })).rejects.toThrow(/is used by another engine/);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
