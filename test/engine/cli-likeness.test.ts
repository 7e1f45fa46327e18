import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../skip.ts';
import { cases, clearing, preparations } from './cli-likeness.ts';
import type { Step } from './cli-likeness.ts';
import { sideRunner } from './cli-sides.ts';
import type { Said, Side } from './cli-sides.ts';
import { startEngine } from './start-engine.ts';

/**
 * The same words to docker's CLI and to skiff on one real engine: outputs, errors and exit codes must be the same.
 * `SKIFF_LIKENESS_HOST` names another engine to compare on (a dockerd, say) instead of a skiffd of its own.
 */
describeWith(
  ['linux', 'root', { program: 'crun' }, { program: 'docker' }],
  'skiff beside docker, on one engine',
  () => {
    let run: (program: 'docker' | 'skiff', side: Side, step: Step) => Promise<Said>;
    let end: () => Promise<void> = () => Promise.resolve();

    const home = mkdtempSync(join(tmpdir(), 'skiff-like-'));

    beforeAll(async () => {
      const given = process.env['SKIFF_LIKENESS_HOST'];
      if (given === undefined) {
        const engine = await startEngine();
        run = sideRunner({ host: `unix://${engine.socket}`, home });
        end = async () => engine[Symbol.asyncDispose]();
      } else run = sideRunner({ host: given, home });
      for (const side of ['d', 's'] as const) for (const step of preparations) await run('docker', side, step);
    });

    afterAll(async () => {
      for (const side of ['d', 's'] as const) for (const step of clearing) await run('docker', side, step);
      rmSync(home, { recursive: true });
      await end();
    });

    const titled = cases.map((steps) => ({ steps, title: steps.map((words) => words.join(' ')).join(' && ') }));
    const isAlike = async ({ steps }: { readonly steps: readonly Step[] }): Promise<void> => {
      for (const step of steps) {
        const asked = run('docker', 'd', step);
        // An engine prunes for one at a time, and says so to the other.
        if (step.includes('prune')) await asked;
        const [docker, skiff] = await Promise.all([asked, run('skiff', 's', step)]);
        expect(skiff).toEqual(docker);
      }
    };
    // What looks at one thing, or is refused, disturbs nobody; what changes something or counts everything wants to be alone.
    const countingAll = ['system', 'top', 'stats'];
    const isQuiet = ({ steps }: (typeof titled)[number]): boolean =>
      steps.length === 1 && !countingAll.includes(steps[0]?.[0] ?? '');
    describe('alone', () => it.each(titled.filter((one) => !isQuiet(one)))('$title', isAlike));
    describe.concurrent('together', () => it.each(titled.filter(isQuiet))('$title', isAlike));
  },
);
