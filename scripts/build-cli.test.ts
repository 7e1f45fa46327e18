import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startFakeEngine } from '../test/peers/fake-engine.ts';
import { runProgram } from '../test/peers/program.ts';
import type { ProgramResult } from '../test/peers/program.ts';
import { buildCli } from './build-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'skiff-built-'));
beforeAll(() => buildCli(folder));
afterAll(() => rmSync(folder, { recursive: true }));

const skiff = (...args: string[]): Promise<ProgramResult> =>
  runProgram(process.execPath, ['--', join(folder, 'skiff.cjs'), ...args], {
    environment: { SKIFF_HOME: join(folder, 'home') },
  });

it('the built command knows its version, runs containers and finds the machines’ code', async () => {
  await using engine = await startFakeEngine();
  expect(await skiff('--version')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^Skiff version \d/) });
  const ran = await skiff('-H', `unix://${engine.path}`, 'run', '--rm', 'hello', 'echo', 'hi');
  expect(ran).toMatchObject({ exitCode: 0, stdout: 'hi\n', stderr: '' });
  expect(await skiff('machine', 'ls', '-q')).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
  expect(await skiff('bogus')).toMatchObject({ exitCode: 1, stdout: '' });
}); // prettier-ignore
