import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { archive, type ArchiveAnswer, entriesOf } from '../archive.ts';
import { Boxes } from '../box.ts';
import { directory, file, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';
import { whileSwapping } from './attack.ts';

const rounds = 80;
const secret = 'a secret of the host';

/**
 * CVE-2018-15664, CVE-2026-41568, CVE-2026-42306, CVE-2020-1726: while files are copied in or out, what is a directory in one
 * moment is a link in the next, and the link leads to a folder of the host (if it were followed outside).
 */
describeWith(['linux', 'root', { program: 'crun' }], 'security: files that are exchanged while they are copied', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let canary: string;
  let mountsBefore: readonly string[];
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    canary = mkdtempSync(path.join(os.tmpdir(), 'skiff-canary-'));
    await loadImage(engine.socket, 'filled', {
      layer: [directory('data/'), ...Array.from({ length: 60 }, (_, index) => file(`data/f${index}`, 'content'))],
    });
    mountsBefore = mountsOf(canary);
  });
  beforeEach(() => {
    rmSync(canary, { recursive: true });
    mkdirSync(path.join(canary, 'in'), { recursive: true });
    writeFileSync(path.join(canary, 'secret'), secret);
    writeFileSync(path.join(canary, 'in/secret'), secret);
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(canary, { recursive: true, force: true });
  });

  const expectUntouched = (): void => {
    expect(readdirSync(canary).sort()).toEqual(['in', 'secret']);
    expect(readdirSync(path.join(canary, 'in'))).toEqual(['secret']);
    expect(readFileSync(path.join(canary, 'secret'), 'utf8')).toBe(secret);
    expect(mountsOf(canary)).toEqual(mountsBefore);
  };
  /** A container in which `/w/d` is a directory and `/w/l` a link to the canary, as the attacker's processes see it. */
  const prepare = async (host: object = {}): Promise<{ id: string; folder: string }> => {
    const id = await boxes.keep({ host: { ...host } }, [
      'sh',
      '-c',
      `mkdir -p /w/d/in; echo own > /w/d/secret; echo own > /w/d/in/secret; ln -s ${canary} /w/l; echo ready; exec sleep 600`,
    ]);
    await expect.poll(() => boxes.output(id), { timeout: 10_000 }).toContain('ready');
    return { id, folder: path.join(engine.dataRoot, 'containers', id, 'merged/w') };
  };

  it(`reading through them ${rounds} times never shows the host`, { timeout: 120_000 }, async () => {
    const { id, folder } = await prepare();
    let found = 0;
    const swaps = await whileSwapping({ folder, one: 'd', other: 'l' }, async () => {
      for (let round = 0; round < rounds; round++) {
        const where = ['/w/d/secret', '/w/d', '/w/d/in/.', '/w/d/'][round % 4] ?? '/w/d';
        const answer = await archive(engine.socket, 'GET', { container: id, path: where });
        expect(answer.body.includes(secret)).toBe(false);
        if (answer.status === 200 && answer.body.includes('own')) found += 1;
      }
    });
    expect(swaps).toBeGreaterThan(1_000);
    expect(found).toBeGreaterThan(0);
    expectUntouched();
    await boxes.remove(id);
  });

  it(`writing through them ${rounds} times never reaches the host`, { timeout: 120_000 }, async () => {
    const { id, folder } = await prepare();
    const body = Buffer.concat([
      directory('in/', { mode: 0o777 }),
      file('in/secret', 'overwritten'),
      file('evil', 'evil'),
      file('in/deeper/evil', 'evil'),
      endOfArchive,
    ]);
    const put = (where: string, archived: Buffer): Promise<ArchiveAnswer> =>
      archive(engine.socket, 'PUT', { container: id, path: where, body: archived });
    const nested = Buffer.concat([file('d/in/secret', 'overwritten'), file('d/evil', 'evil'), endOfArchive]);
    let written = 0;
    const swaps = await whileSwapping({ folder, one: 'd', other: 'l' }, async () => {
      for (let round = 0; round < rounds; round++) {
        const { status } = await (round % 2 === 0 ? put('/w/d', body) : put('/w', nested));
        if (status === 200) written += 1;
      }
    });
    expect(swaps).toBeGreaterThan(1_000);
    expect(written).toBeGreaterThan(0);
    expectUntouched();
    await boxes.remove(id);
  });

  it('a volume’s place that is exchanged is never mounted on the host', { timeout: 120_000 }, async () => {
    const { id, folder } = await prepare({ Binds: ['swapped:/w/d/in'] });
    // In the container's own tree, seen without what is mounted in it: /w/d is free to be renamed there.
    const swaps = await whileSwapping({ folder, one: 'd', other: 'l' }, async () => {
      for (let round = 0; round < rounds; round++) {
        const answer = await archive(engine.socket, 'GET', { container: id, path: '/w/d/in' });
        expect(answer.body.includes(secret)).toBe(false);
        const body = Buffer.concat([file('evil', 'evil'), endOfArchive]);
        await archive(engine.socket, 'PUT', { container: id, path: '/w/d/in', body });
      }
    });
    expect(swaps).toBeGreaterThan(1_000);
    expectUntouched();
    await boxes.remove(id);
  });

  it('exporting and comparing what is exchanged shows nothing of the host', { timeout: 120_000 }, async () => {
    const { id, folder } = await prepare();
    const swaps = await whileSwapping({ folder, one: 'd', other: 'l' }, async () => {
      for (let round = 0; round < 15; round++) {
        const { text } = await call(engine.socket, 'GET', `/containers/${id}/export`);
        expect(text.includes(secret)).toBe(false);
        expect((await call(engine.socket, 'GET', `/containers/${id}/changes`)).status).toBeLessThanOrEqual(500);
      }
    });
    expect(swaps).toBeGreaterThan(1_000);
    expectUntouched();
    await boxes.remove(id);
  });

  it(
    'a volume that is filled for one container while another exchanges its content',
    { timeout: 120_000 },
    async () => {
      const attacker = await boxes.keep({ host: { Binds: ['fought:/v'] } }, [
        'sh',
        '-c',
        `cd /v; while :; do for n in 1 2 3 4 5 6 7 8; do ln -s ${canary}/secret f$n; ln -s ${canary} f2$n; done; rm -rf /v/*; done 2>/dev/null`,
      ]);
      for (let round = 0; round < 20; round++) {
        const answer = await call(engine.socket, 'POST', '/containers/create', {
          Image: 'filled',
          Cmd: ['true'],
          HostConfig: { Binds: ['fought:/data'] },
        });
        // What is in the way of the copy may end it; it never leads it elsewhere.
        expect([201, 500]).toContain(answer.status);
        expectUntouched();
        if (answer.status === 201) await boxes.remove((answer.json() as { Id: string }).Id);
      }
      await boxes.remove(attacker);
      expect((await call(engine.socket, 'GET', '/containers/json?all=1')).json()).toEqual([]);
    },
  );

  it(
    'a part of a volume that is exchanged is mounted as what it is in the volume, or not at all',
    { timeout: 120_000 },
    async () => {
      await boxes.run(`mkdir -p /v/d/in; echo own > /v/d/secret; ln -s ${canary} /v/l`, {
        host: { Binds: ['parted:/v'] },
      });
      const folder = path.join(engine.dataRoot, 'volumes/parted/_data');
      const mount = { Type: 'volume', Source: 'parted', Target: '/p', VolumeOptions: { Subpath: 'd' } };
      let started = 0;
      const swaps = await whileSwapping({ folder, one: 'd', other: 'l' }, async () => {
        for (let round = 0; round < 20; round++) {
          const { id } = await boxes.create('cat /p/secret; touch /p/evil', { host: { Mounts: [mount] } });
          const ended = call(engine.socket, 'POST', `/containers/${id}/wait?condition=next-exit`);
          if ((await call(engine.socket, 'POST', `/containers/${id}/start`)).status === 204) {
            started += 1;
            await ended;
            expect(await boxes.output(id)).not.toContain(secret);
          }
          await boxes.remove(id);
          await ended;
        }
      });
      expect(swaps).toBeGreaterThan(1_000);
      expect(started).toBeGreaterThan(0);
      expectUntouched();
    },
  );

  it('links that were there before lead nowhere outside either', async () => {
    const { id } = await boxes.create('true');
    const folder = path.join(engine.dataRoot, 'containers', id, 'upper');
    symlinkSync(canary, path.join(folder, 'absolute'));
    symlinkSync(`../../../../../../../../../..${canary}`, path.join(folder, 'relative'));
    symlinkSync('/proc/self/root', path.join(folder, 'magic'));
    for (const name of ['absolute', 'relative', `magic${canary}`]) {
      const got = await archive(engine.socket, 'GET', { container: id, path: `/${name}/secret` });
      expect(got.status).toBe(404);
      const body = Buffer.concat([file('evil', 'evil'), endOfArchive]);
      expect((await archive(engine.socket, 'PUT', { container: id, path: `/${name}`, body })).status).toBe(404);
    }
    const link = await archive(engine.socket, 'GET', { container: id, path: '/absolute' });
    expect(entriesOf(link.body)).toMatchObject([{ entry: { kind: 'symlink', linkName: Buffer.from(canary) } }]);
    expectUntouched();
    await boxes.remove(id);
  });
});

function mountsOf(folder: string): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder));
}
