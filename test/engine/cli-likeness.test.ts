import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCli } from '../../scripts/build-cli.ts';
import { runProgram } from '../peers/program.ts';
import { describeWith } from '../skip.ts';
import { cases, clearing, preparations } from './cli-likeness.ts';
import type { Step } from './cli-likeness.ts';
import { startEngine } from './start-engine.ts';

/**
 * The same words to docker's CLI and to skiff on one real engine: outputs, errors and exit codes must be the same.
 * `SKIFF_LIKENESS_HOST` names another engine to compare on (a dockerd, say) instead of a skiffd of its own.
 */
describeWith(
  ['linux', 'root', { program: 'crun' }, { program: 'docker' }],
  'skiff beside docker, on one engine',
  () => {
    let host: string;
    let end: () => Promise<void> = () => Promise.resolve();

    /** The command as it is built: it starts in half the time. */
    const built = mkdtempSync(join(tmpdir(), 'skiff-built-'));

    beforeAll(async () => {
      await buildCli(built);
      const given = process.env['SKIFF_LIKENESS_HOST'];
      if (given === undefined) {
        const engine = await startEngine();
        host = `unix://${engine.socket}`;
        end = async () => engine[Symbol.asyncDispose]();
      } else host = given;
      for (const side of ['d', 's'] as const) for (const step of preparations) await run('docker', side, step);
    });

    afterAll(async () => {
      for (const side of ['d', 's'] as const) for (const step of clearing) await run('docker', side, step);
      rmSync(built, { recursive: true });
      await end();
    });

    const run = async (program: 'docker' | 'skiff', side: 'd' | 's', step: Step): Promise<Said> => {
      const [file, ...before] = program === 'docker' ? ['docker'] : [process.execPath, '--', join(built, 'skiff.cjs')];
      const words = step.map((word) => word.replaceAll('@@', side === 'd' ? '1' : '2').replaceAll('@', side));
      const args = [...before, '-H', host, ...words];
      const { exitCode, stdout, stderr } = await runProgram(file ?? '', args, {
        input: 'some input\n',
        environment: { SKIFF_HOME: built },
      });
      return { exitCode, stdout: neutral(stdout), stderr: neutral(stderr) };
    };

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
    const isQuiet = ({ steps }: (typeof titled)[number]): boolean => steps.length === 1 && steps[0]?.[0] !== 'system';
    describe('alone', () => it.each(titled.filter((one) => !isQuiet(one)))('$title', isAlike));
    describe.concurrent('together', () => it.each(titled.filter(isQuiet))('$title', isAlike));
  },
);

interface Said {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without what may differ: names of the sides and programs, ids, process ids, addresses; and what docker prints by mistake. */
function neutral(text: string): string {
  return (
    text
      .replaceAll(/\bl[ds](?=[- ][a-z])/g, 'l@')
      .replaceAll(/(?<=\b(?:like|prune)(?:=|":"))[ds]\b/g, '@')
      .replaceAll(/(?<=^l@-\S+ .*) [ds]$/gm, ' @')
      .replaceAll(/10\.211\.\d\./g, '10.211.@.')
      .replaceAll(/\b(docker|skiff)(?=[ :'])/g, 'PROGRAM')
      .replaceAll(/\b(See|SRun)(?= ')/g, 'Run')
      .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID64')
      .replaceAll(/\b[0-9a-f]{12}\b/g, 'ID12')
      .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
      .replaceAll(/^\d+ +(?=sleep 1000$)/gm, 'PID ')
      .replaceAll(/^exit status 1\n/gm, '')
      // docker prints labels in the order of a Go map, which differs from call to call.
      .replaceAll(/(?<="Labels":")[^"]*/g, (labels) => labels.split(',').sort().join(','))
      .replaceAll(/^(Usage: {2}PROGRAM volume) COMMAND$/gm, '$1')
  );
}
