import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountFileSystem } from '../../../engine/kernel/cgroup-mount.ts';
import { bindMount, mountDevice, unmount } from '../../../engine/kernel/mount.ts';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

/** MS_SHARED and MS_PRIVATE of mount(2). */
const makeShared = 1 << 20;

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: what lies below a bind', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let folder: string;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-below-'));
    // A mount of its own, so that its propagation is the test's to set.
    bindMount({ source: folder, target: folder });
    mkdirSync(path.join(folder, 'below'));
    mkdirSync(path.join(folder, 'later'));
    mountFileSystem({ type: 'tmpfs', target: path.join(folder, 'below'), options: 'size=1m' });
    writeFileSync(path.join(folder, 'below/file'), 'below');
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    unmount(path.join(folder, 'below'));
    unmount(folder, { isDetached: true });
    rmSync(folder, { recursive: true });
  });

  const bind = (options: object = {}): Readonly<Record<string, unknown>> => ({
    Mounts: [{ Type: 'bind', Source: folder, Target: '/data', ReadOnly: true, BindOptions: options }],
  });
  const look = 'cat /data/below/file; touch /data/x /data/below/y 2>&1';

  describe('57: a read-only bind', () => {
    const readOnly = (name: string): string => `touch: ${name}: Read-only file system`;

    it('is read-only with all that is mounted below it', async () => {
      const expected = `below${readOnly('/data/x')}\n${readOnly('/data/below/y')}\n`;
      expect((await boxes.run(look, { host: bind() })).output).toBe(expected);
      expect((await boxes.run(look, { host: { Binds: [`${folder}:/data:ro`] } })).output).toBe(expected);
      expect(
        (await boxes.run(look, { host: bind({ ReadOnlyForceRecursive: true, Propagation: 'rprivate' }) })).output,
      ).toBe(expected);
    });

    it('leaves what is below writable when that is asked for', async () => {
      const { output } = await boxes.run(look, { host: bind({ ReadOnlyNonRecursive: true }) });
      expect(output).toBe(`below${readOnly('/data/x')}\n`);
    });

    it('is without what is below when it is not recursive', async () => {
      const { output } = await boxes.run('ls /data/below', { host: bind({ NonRecursive: true }) });
      expect(output).toBe('');
    });
  });

  it('58: a slave sees what the host mounts later, a private one does not', async () => {
    mountDevice({ source: 'none', target: folder, type: 'none', flags: makeShared, data: '' });
    const ids = await Promise.all(
      ['rslave', 'rprivate', 'rshared'].map((Propagation) =>
        boxes.keep({
          host: {
            Privileged: true,
            Mounts: [{ Type: 'bind', Source: folder, Target: '/data', BindOptions: { Propagation } }],
          },
        }),
      ),
    );
    mountFileSystem({ type: 'tmpfs', target: path.join(folder, 'later'), options: 'size=1m' });
    writeFileSync(path.join(folder, 'later/file'), 'later');
    const seen = await Promise.all(
      ids.map(async (id) => (await docker(engine.socket, ['exec', id, 'cat', '/data/later/file'])).stdout),
    );
    expect(seen).toEqual(['later', '', 'later']);
    for (const id of ids) await boxes.remove(id);
    unmount(path.join(folder, 'later'));
  });
});
