import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

/** CVE-2024-21626 and its kin: a descriptor of the host's that a container can reach is the host. */
describeWith(['linux', 'root', { program: 'crun' }], 'security: descriptors', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let canary: string;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    canary = mkdtempSync(path.join(os.tmpdir(), 'skiff-canary-'));
    writeFileSync(path.join(canary, 'secret'), 'of the host');
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(canary, { recursive: true });
  });

  // Not the shell's last command, which would take its place and have the folder open itself.
  const listing = 'ls /proc/1/fd; true';

  it('a container has its standard streams and no other', async () => {
    expect((await boxes.run(listing)).output).toBe('0\n1\n2\n');
    const host = { Privileged: true, NetworkMode: 'bridge', IpcMode: 'shareable' };
    expect((await boxes.run(listing, { host })).output).toBe('0\n1\n2\n');
  });

  it('a container with a terminal too, and a command in it', async () => {
    const id = await boxes.keep({ config: { Tty: true, OpenStdin: true } });
    const seen = await docker(engine.socket, ['exec', id, 'sh', '-c', 'ls /proc/1/fd; echo; ls /proc/$$/fd; true']);
    expect(seen.stdout.replaceAll('\r', '')).toMatch(/^0\n1\n2\n(10\n)?\n0\n1\n2\n(10\n)?$/);
    await boxes.remove(id);
  });

  it('a working directory that names a descriptor leads nowhere outside', async () => {
    const look = `cat ../../../../../../../..${canary}/secret 2>/dev/null && echo ESCAPED; pwd`;
    const rounds = Array.from({ length: 24 }, async (_, descriptor) => {
      const config = { WorkingDir: `/proc/self/fd/${descriptor}` };
      try {
        return (await boxes.run(look, { config })).output;
      } catch (error) {
        return String(error);
      }
    });
    for (const output of await Promise.all(rounds)) expect(output).not.toMatch(/of the host|ESCAPED/);
  });

  it('nor does that of a command', async () => {
    const id = await boxes.keep();
    for (let descriptor = 0; descriptor < 16; descriptor++) {
      const ran = await docker(engine.socket, [
        'exec',
        '-w',
        `/proc/self/fd/${descriptor}`,
        id,
        'cat',
        `../../../../../../../..${canary}/secret`,
      ]);
      expect(ran.stdout + ran.stderr).not.toContain('of the host');
      expect(ran.exitCode).not.toBe(0);
    }
    await boxes.remove(id);
  });
});
