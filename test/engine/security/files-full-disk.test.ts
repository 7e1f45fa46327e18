import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { archive } from '../archive.ts';
import { Boxes } from '../box.ts';
import { directory, file, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'security: a disk that is full while files are copied', () => {
  let disk: string;
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    disk = mkdtempSync(path.join(os.tmpdir(), 'skiff-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', disk]);
    engine = await startEngine({ flags: ['--data-root', path.join(disk, 'data')] });
    boxes = new Boxes(engine.socket);
    const content = Buffer.alloc(8 << 20, 'x');
    await loadImage(engine.socket, 'large', { layer: [directory('data/'), file('data/one', content)] });
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  });

  it('a copy into a container says so, and the container can be removed', async () => {
    const id = await boxes.keep();
    const body = Buffer.concat([file('big', Buffer.alloc(60 << 20, 'y')), endOfArchive]);
    const refused = await archive(engine.socket, 'PUT', { container: id, path: '/', body });
    expect(refused).toMatchObject({
      status: 500,
      message: expect.stringContaining('no space left on device') as string,
    });
    expect((await call(engine.socket, 'GET', '/_ping')).status).toBe(200);
    expect((await call(engine.socket, 'DELETE', `/containers/${id}?force=1`)).status).toBe(204);
    expect((await boxes.run('echo again')).output).toBe('again\n');
  });

  it('a volume that cannot be filled is not left half full, nor is its container', async () => {
    const filler = path.join(disk, 'filler');
    fill(filler);
    truncate(filler, 2 << 20);
    const { status, text } = await call(engine.socket, 'POST', '/containers/create', {
      Image: 'large',
      Cmd: ['true'],
      Volumes: { '/data': {} },
    });
    expect([status, text]).toEqual([500, expect.stringContaining('no space left on device')]);
    expect((await call(engine.socket, 'GET', '/containers/json?all=1')).json()).toEqual([]);
    expect((await call(engine.socket, 'GET', '/volumes')).json()).toMatchObject({ Volumes: [] });
    rmSync(filler);
    const again = await boxes.run('wc -c < /data/one', { config: { Image: 'large', Volumes: { '/data': {} } } });
    expect(again.output.trim()).toBe(String(8 << 20));
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(`${disk}/data/containers`);
  });
});

/** Writes until nothing more goes in. */
function fill(file: string): void {
  const chunk = Buffer.alloc(64 * 1024);
  try {
    for (;;) writeFileSync(file, chunk, { flag: 'a' });
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
}

function truncate(file: string, lessBytes: number): void {
  execFileSync('truncate', ['-s', `-${lessBytes}`, file]);
}
