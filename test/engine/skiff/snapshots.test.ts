import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SkiffDisk, SkiffSnapshot, SkiffSnapshotDiff } from '../../../api/skiff.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { docker, eventually } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'snapshots', () => {
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine();
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const ask = (method: string, what: string): Promise<Answer> =>
    call(engine.socket, method, `/skiff/v1/containers/${what}`);
  const good = async <T>(method: string, what: string): Promise<T> => {
    const { status, text } = await ask(method, what);
    expect(status, text).toBeLessThan(300);
    return JSON.parse(text) as T;
  };
  const run = async (...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await docker(engine.socket, words);
    expect([exitCode, stderr]).toEqual([0, '']);
    return stdout.trim();
  };
  const list = async (name: string): Promise<readonly SkiffSnapshot[]> =>
    (await good<{ snapshots: readonly SkiffSnapshot[] }>('GET', `${name}/snapshots`)).snapshots;
  const folderOf = async (name: string): Promise<string> =>
    path.join(engine.dataRoot, 'containers', await run('inspect', '-f', '{{.Id}}', name));
  const shown = ({ files }: SkiffSnapshotDiff): readonly string[] =>
    files.map((file) => `${file.change} ${file.path}`).filter((line) => !line.includes('/run'));
  /** A container that has run these commands, one after the other, and stopped. */
  const stopped = async (name: string, script: string): Promise<void> => {
    await run('run', '--name', name, 'hello', 'sh', '-c', script);
  };

  it('keeps what a stopped container wrote, and gives it back', async () => {
    await stopped('kept', 'echo one >/a; mkdir /d; echo x >/d/x; rm /bin/vi; ln /a /a2');
    const first = await good<SkiffSnapshot>('POST', 'kept/snapshots?name=first&comment=before%20the%20change');
    expect(first).toMatchObject({ name: 'first', comment: 'before the change' });
    expect(first.sizeBytes).toBeGreaterThan(0);
    await run('cp', `${path.resolve(import.meta.dirname, '../api.ts')}`, 'kept:/a');
    await run('cp', `${path.resolve(import.meta.dirname, '../api.ts')}`, 'kept:/new');
    expect(shown(await good('GET', 'kept/snapshots/first/diff'))).toEqual(['changed /a', 'added /new']);
    await good('POST', 'kept/snapshots/first/rollback');
    expect(shown(await good('GET', 'kept/snapshots/first/diff'))).toEqual([]);
    const changes = (await run('diff', 'kept')).split('\n');
    expect(changes).toEqual(expect.arrayContaining(['A /a', 'A /a2', 'A /d', 'A /d/x', 'C /bin', 'D /bin/vi']));
    expect(changes).not.toContain('A /new');
    expect((await list('kept')).map(({ name }) => name)).toEqual(['first']);
    const now = Math.ceil(Date.now() / 1000);
    const { text } = await call(engine.socket, 'GET', `/events?since=0&until=${now}`);
    const actions = text.match(/"Action":"(?:snapshot|rollback)"/g);
    expect(actions).toEqual(['"Action":"snapshot"', '"Action":"rollback"']);
  });

  it('a container goes on from where it went back to', async () => {
    await run('create', '--name', 'again', 'hello', 'sh', '-c', 'cat /count 2>/dev/null; echo x >>/count');
    const output = async (): Promise<string> => run('start', '-a', 'again');
    expect(await output()).toBe('');
    await good('POST', 'again/snapshots?name=once');
    expect(await output()).toBe('x');
    await good('POST', 'again/snapshots/once/rollback');
    expect(await output()).toBe('x');
  });

  it('a running container stands still for the moment and goes on; it does not go back while it runs', async () => {
    await run('run', '-d', '--name', 'live', 'hello', 'sh', '-c', 'echo one >/a; sleep 1000');
    await eventually('the file', async () => ((await run('exec', 'live', 'ls', '/')).includes('a\n') ? true : null));
    const { name } = await good<SkiffSnapshot>('POST', 'live/snapshots');
    expect(name).toBe('snapshot-1');
    expect(await run('inspect', '-f', '{{.State.Status}}', 'live')).toBe('running');
    await run('exec', 'live', 'sh', '-c', 'echo two >/a; echo new >/b; rm /etc/passwd');
    expect(shown(await good('GET', `live/snapshots/${name}/diff`))).toEqual([
      'changed /a',
      'added /b',
      'removed /etc/passwd',
    ]);
    await good('POST', 'live/snapshots?name=second');
    const between = await good<SkiffSnapshotDiff>('GET', `live/snapshots/second/diff?to=${name}`);
    expect(shown(between)).toEqual(['changed /a', 'removed /b', 'added /etc/passwd']);
    const back = await ask('POST', `live/snapshots/${name}/rollback`);
    expect([back.status, back.json()]).toEqual([
      409,
      { message: 'container live is running: stop it before it goes back to a snapshot' },
    ]);
    await run('pause', 'live');
    await good('POST', 'live/snapshots?name=paused');
    expect(await run('inspect', '-f', '{{.State.Status}}', 'live')).toBe('paused');
    await run('rm', '-f', 'live');
  });

  it('another container, or an image, begins with what one holds', async () => {
    await run(
      'run',
      '--name',
      'source',
      '-e',
      'WORD=hi',
      '--label',
      'a=b',
      'hello',
      'sh',
      '-c',
      'echo one >>/a; cat /a',
    );
    await good('POST', 'source/snapshots?name=s');
    await run('start', '-a', 'source');
    const made = await good<{ id: string; name: string }>('POST', 'source/snapshots/s/container?name=twin');
    expect(made.name).toBe('twin');
    expect(await run('start', '-a', 'twin')).toBe('one\none');
    expect(await run('inspect', '-f', '{{index .Config.Labels "a"}} {{.Config.Env}}', 'twin')).toContain('b [WORD=hi');
    const image = await good<{ id: string; names: readonly string[] }>(
      'POST',
      'source/snapshots/s/image?tag=from:snap',
    );
    expect(image.names).toEqual(['from:snap']);
    expect(await run('run', '--rm', 'from:snap', 'cat', '/a')).toBe('one');
    const layers = await call(engine.socket, 'GET', '/skiff/v1/images/from:snap/layers');
    expect(layers.text).toContain('skiff snapshot s of source');
  });

  it('is counted by the truth about the disk, and goes with its container', async () => {
    await stopped('heavy', 'head -c 3000000 /dev/urandom >/big');
    await good('POST', 'heavy/snapshots?name=a');
    await good('POST', 'heavy/snapshots?name=b');
    const snapshotBytes = async (): Promise<number> => {
      const { containers } = JSON.parse((await call(engine.socket, 'GET', '/skiff/v1/disk')).text) as SkiffDisk;
      return containers.items.find(({ name }) => name === 'heavy')?.snapshotBytes ?? 0;
    };
    expect(await snapshotBytes()).toBeGreaterThan(6_000_000);
    expect((await ask('DELETE', 'heavy/snapshots/a')).status).toBe(204);
    expect(await snapshotBytes()).toBeLessThan(3_500_000);
    const folder = await folderOf('heavy');
    expect(readdirSync(path.join(folder, 'snapshots'))).toHaveLength(1);
    await run('rm', 'heavy');
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    ['POST', 'none/snapshots', 404, 'No such container: none'],
    ['POST', 'kept/snapshots?name=first', 409, 'container kept has a snapshot "first" already'],
    [
      'POST',
      'kept/snapshots?name=..',
      400,
      'invalid name of a snapshot: "..": letters, digits, "_", "." and "-", at most 128',
    ],
    ['DELETE', 'kept/snapshots/none', 404, 'No such snapshot of container kept: none'],
    ['GET', 'kept/snapshots/first/diff?to=none', 404, 'No such snapshot of container kept: none'],
    ['POST', 'kept/snapshots/none/container', 404, 'No such snapshot of container kept: none'],
  ])('%s %s is refused with its reason', async (method, what, status, message) => {
    const answer = await ask(method, what);
    expect([answer.status, answer.json()]).toEqual([status, { message }]);
  });

  describe('killed in the middle', () => {
    const crashAt = async (point: string, method: string, what: string): Promise<void> => {
      engine.dieAt(point);
      await expect(ask(method, what)).rejects.toThrow();
      await engine.crash();
      await engine.start();
    };

    it.each(['snapshot:begun', 'snapshot:paused', 'snapshot:copied', 'snapshot:written'])(
      'at %s a container that ran goes on, and a snapshot is there or is not',
      async (point) => {
        const name = `run-${point.replace(':', '-')}`;
        await run('run', '-d', '--name', name, 'hello', 'sleep', '1000');
        await crashAt(point, 'POST', `${name}/snapshots?name=s`);
        expect(await run('inspect', '-f', '{{.State.Status}}', name)).toBe('running');
        const there = (await list(name)).map(({ id }) => id);
        expect(there).toHaveLength(point === 'snapshot:written' ? 1 : 0);
        const snapshots = path.join(await folderOf(name), 'snapshots');
        expect(existsSync(snapshots) ? readdirSync(snapshots) : []).toEqual(there);
        if (there.length === 0) await good('POST', `${name}/snapshots?name=s`);
        await run('rm', '-f', name);
      },
    );

    it.each(['rollback:copied', 'rollback:done'])(
      'at %s a container has what it had, or what it should have, and nothing is left',
      async (point) => {
        const name = `back-${point.replace(':', '-')}`;
        await stopped(name, 'echo one >/a');
        await good('POST', `${name}/snapshots?name=s`);
        await run('cp', `${path.resolve(import.meta.dirname, '../api.ts')}`, `${name}:/new`);
        await crashAt(point, 'POST', `${name}/snapshots/s/rollback`);
        const left = shown(await good('GET', `${name}/snapshots/s/diff`));
        expect(left).toEqual(point === 'rollback:done' ? [] : ['added /new']);
        expect(readdirSync(await folderOf(name)).filter((entry) => entry.startsWith('replaced-'))).toEqual([]);
        await run('rm', name);
      },
    );
  });
});
