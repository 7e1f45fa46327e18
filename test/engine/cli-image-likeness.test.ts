import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endOfArchive } from '../../api/tar/writer.ts';
import { startRegistry } from '../peers/registry.ts';
import { describeWith } from '../skip.ts';
import { imageCases } from './cli-image-likeness.ts';
import { sideRunner } from './cli-sides.ts';
import { directory, file } from './made-image.ts';
import { startEngine } from './start-engine.ts';

/** The same words about images to docker's CLI and to skiff, on one real engine and real registries: outputs, errors and exit codes must be the same. */
describeWith(
  ['linux', 'root', { program: 'crun' }, { program: 'docker' }],
  'skiff beside docker, with registries',
  () => {
    const owner = new AsyncDisposableStack();
    const home = mkdtempSync(join(tmpdir(), 'skiff-like-'));
    let run: ReturnType<typeof sideRunner>;

    beforeAll(async () => {
      owner.defer(() => rmSync(home, { recursive: true }));
      const [engine, open, closed] = await Promise.all([
        startEngine(),
        startRegistry(),
        startRegistry({ auth: 'basic', users: { jane: 'some input' } }),
      ]);
      for (const each of [engine, open, closed]) owner.use(each);
      for (const side of ['d', 's']) {
        const entries = [directory('bin/'), file('bin/side', side), endOfArchive];
        writeFileSync(join(home, `${side}.tar`), Buffer.concat(entries));
      }
      const places = { $REG: open.host, $AUTH: closed.host, $DIR: home };
      run = sideRunner({ host: `unix://${engine.socket}`, home, places });
    });

    afterAll(() => owner.disposeAsync());

    const titled = imageCases.map((steps) => ({ steps, title: steps.map((words) => words.join(' ')).join(' && ') }));
    it.each(titled)('$title', async ({ steps }) => {
      for (const step of steps) {
        const asked = run('docker', 'd', step);
        if (step.includes('prune')) await asked;
        const [docker, skiff] = await Promise.all([asked, run('skiff', 's', step)]);
        expect({ step, ...skiff }).toEqual({ step, ...docker });
      }
    });
  },
);
