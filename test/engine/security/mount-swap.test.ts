import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const starts = 80;
const atOnce = 4;

/**
 * CVE-2021-30465, CVE-2023-27561: two containers share a folder. One swaps a directory in it for a link that leads out of
 * the root, as fast as it can, while the other is being started with a mount at that very place.
 */
describeWith(['linux', 'root', { program: 'crun' }], 'security: a mount point that is swapped for a link', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let shared: string;
  let given: string;
  let canary: string;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    shared = mkdtempSync(path.join(os.tmpdir(), 'skiff-shared-'));
    given = mkdtempSync(path.join(os.tmpdir(), 'skiff-given-'));
    canary = mkdtempSync(path.join(os.tmpdir(), 'skiff-canary-'));
    mkdirSync(path.join(shared, 'point'));
    writeFileSync(path.join(given, 'given'), 'given');
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    for (const folder of [shared, given, canary]) rmSync(folder, { recursive: true, force: true });
  });

  it(`leads nowhere outside in ${starts} starts`, { timeout: 120_000 }, async () => {
    const out = `../../../../../../../../../../..${canary}`;
    const swapper = await boxes.keep({ host: { Binds: [`${shared}:/shared`] } }, [
      'sh',
      '-c',
      `cd /shared; ln -s ${out} link; while :; do mv point aside; mv link point; mv point link; mv aside point; done 2>/dev/null`,
    ]);
    const mountsBefore = hostMounts();
    let started = 0;
    const round = async (): Promise<void> => {
      const host = { Binds: [`${shared}:/shared`, `${given}:/shared/point`] };
      const { id } = await boxes.create('touch /shared/point/mark', { host });
      try {
        await boxes.start(id);
        started += 1;
      } catch {
        // Refused is as good: the link leads to nothing within the root.
      }
      await boxes.remove(id);
    };
    for (let done = 0; done < starts; done += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, round));
      expect(readdirSync(canary)).toEqual([]);
    }
    await boxes.remove(swapper);
    expect(started).toBeGreaterThan(0);
    expect(hostMounts().filter((mount) => !mountsBefore.includes(mount))).toEqual([]);
    expect(readFileSync(path.join(given, 'given'), 'utf8')).toBe('given');
  });
});

/** Mounts of this computer on folders of this test; those of containers are in their own trees. */
function hostMounts(): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => /\/skiff-(canary|given|shared)-/.test(target));
}
