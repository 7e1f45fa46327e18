import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker, eventually } from '../docker.ts';
import { file } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'mount' }], 'skiffd on a full disk', () => {
  const disk = mkdtempSync(path.join(os.tmpdir(), 'skiff-disk-'));
  const ballast = path.join(disk, 'ballast');
  const opened = new AsyncDisposableStack();
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    opened.defer(() => rmSync(disk, { recursive: true }));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'skiff-disk', disk]);
    // Lazily: what a failed test leaves running must not keep the others from being told.
    opened.defer(() => void execFileSync('umount', ['--lazy', disk]));
    engine = opened.use(await startEngine({ flags: ['--data-root', path.join(disk, 'data')] }));
    opened.defer(() => rmSync(ballast, { force: true }));
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => opened.disposeAsync());

  const api = (method: string, at: string, body?: unknown): Promise<Answer> => call(engine.socket, method, at, body);
  const done = async (method: string, at: string): Promise<void> => {
    const answer = await api(method, at);
    expect(answer.status, answer.text).toBe(204);
  };
  const status = async (id: string): Promise<{ Status: string; ExitCode: number; Pid: number }> =>
    (await boxes.inspect<{ State: { Status: string; ExitCode: number; Pid: number } }>(id)).State;

  // What an earlier test took of it is made again in a second.
  beforeEach(() =>
    eventually('room that is kept', async () =>
      readdirSync(path.join(disk, 'data/reserve')).filter((name) => /^\d+$/.test(name)).length === 8 ? true : null,
    ),
  );

  // Whatever a test came to: the next one wants room.
  afterEach(() => rmSync(ballast, { force: true }));

  it('says so, goes on serving, and forgets no state and no exit code', async () => {
    const running = await boxes.keep({ name: 'running' });
    const created = (await boxes.create('true', { name: 'created' })).id;
    const { Pid } = await status(running);
    fill(ballast);
    for (const refused of [
      await api('POST', '/containers/create?name=new', { Image: 'hello', Cmd: ['true'] }),
      await api('POST', `/containers/${created}/start`),
      await api('POST', `/containers/${created}/rename?name=other`),
    ]) {
      expect(refused.status).toBe(500);
      expect((refused.json() as { message: string }).message).toMatch(/no space left on device/i);
    }
    expect((await api('GET', '/containers/new/json')).status).toBe(404);
    expect((await status(created)).Status).toBe('created');
    // What ends and removes needs no room but what is kept for it.
    await done('POST', `/containers/${running}/kill`);
    expect(isAlive(Pid)).toBe(false);
    expect(await status(running)).toMatchObject({ Status: 'exited', ExitCode: 137 });
    expect((await api('GET', '/_ping')).text).toBe('OK');
    rmSync(ballast);
    await boxes.start(created);
    await eventually('its end', async () => ((await status(created)).Status === 'exited' ? true : null));
    await boxes.remove(running);
    await boxes.remove(created);
  });

  it('stops and removes what fills it', async () => {
    const stopped = await boxes.keep({ name: 'stopped' });
    await api('POST', '/volumes/create', { Name: 'spare' });
    await api('POST', '/images/hello/tag?repo=spare');
    const fillLater = 'until [ -e /go ]; do usleep 10000; done; cat /dev/zero > /fill; sleep 600';
    const filler = await boxes.keep({ name: 'filler' }, fillLater);
    // Not before its start is recorded, which takes room of the disk.
    writeFileSync(`/proc/${(await status(filler)).Pid}/root/go`, '');
    await eventually('a full disk', async () => {
      const { status } = await api('POST', '/containers/create?name=probe', { Image: 'hello', Cmd: ['true'] });
      if (status !== 201) return true;
      await boxes.remove('probe');
      return null;
    });
    fill(ballast);
    await done('POST', `/containers/${stopped}/stop?t=0`);
    await done('DELETE', `/containers/${stopped}`);
    for (const [what, status] of [
      ['volumes/spare', 204],
      ['images/spare', 200],
    ] as const) {
      fill(ballast);
      const answer = await api('DELETE', `/${what}`);
      expect(answer.status, answer.text).toBe(status);
    }
    await done('DELETE', `/containers/${filler}?force=1`);
    const created = await boxes.create('true', { name: 'afterwards' });
    await boxes.start(created.id);
    await boxes.remove(created.id);
  });

  it('says so to a load, an import and a commit, keeps nothing of them, and can prune', async () => {
    const scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-archives-'));
    try {
      const [saved, root] = [path.join(scratch, 'saved.tar'), path.join(scratch, 'root.tar')];
      expect(await docker(engine.socket, ['save', '-o', saved, 'hello'])).toMatchObject({ exitCode: 0 });
      writeFileSync(root, Buffer.concat([file('content', Buffer.alloc(500_000, 1)), endOfArchive]));
      const { id } = await boxes.create('true', { name: 'changed' });
      expect(await docker(engine.socket, ['cp', root, 'changed:/root.tar'])).toMatchObject({ exitCode: 0, stdout: '' });
      const layers = (): readonly string[] => readdirSync(path.join(disk, 'data/layers')).toSorted();
      const before = layers();
      fill(ballast);
      for (const words of [
        ['load', '-i', saved],
        ['import', root, 'new'],
        ['commit', 'changed', 'new'],
      ]) {
        const { exitCode, stderr } = await docker(engine.socket, words);
        expect([words[0], exitCode]).toEqual([words[0], 1]);
        expect(stderr).toMatch(/no space left on device/i);
      }
      expect([layers(), readdirSync(path.join(disk, 'data/incoming'))]).toEqual([before, []]);
      expect((await api('POST', '/images/prune')).status).toBe(200);
      rmSync(ballast);
      expect(await docker(engine.socket, ['commit', 'changed', 'new'])).toMatchObject({ exitCode: 0 });
      expect(await docker(engine.socket, ['rmi', 'new'])).toMatchObject({ exitCode: 0 });
      expect(layers()).toEqual(before);
      await boxes.remove(id);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });

  it('comes back after a crash with a full disk', async () => {
    const running = await boxes.keep({ name: 'running' });
    fill(ballast);
    await engine.crash();
    const started = engine.start().then(
      () => 'started',
      () => 'refused',
    );
    expect(['started', 'refused']).toContain(await started);
    rmSync(ballast);
    if ((await started) === 'refused') await engine.start();
    expect((await status(running)).Status).toBe('running');
    await boxes.remove(running);
  });
});

/** Until not a byte more has room. */
function fill(file: string): void {
  for (let size = 1 << 20; size >= 1; size = Math.floor(size / 4)) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size, 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
