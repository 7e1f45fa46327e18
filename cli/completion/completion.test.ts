import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeEngine } from '../../test/peers/fake-engine.ts';
import type { FakeEngine } from '../../test/peers/fake-engine.ts';
import { runProgram, skiffCommand } from '../../test/peers/program.ts';
import { describeWith } from '../../test/skip.ts';
import { completionScripts } from './scripts.ts';

const [node, ...script] = skiffCommand;

describe('completion', () => {
  let engine: FakeEngine;
  let home: string;

  beforeAll(async () => {
    engine = await startFakeEngine({ images: ['hello:latest', 'localhost:5000/team/app:1.2'] });
    home = await mkdtemp(join(tmpdir(), 'skiff-complete-'));
    await writeFile(join(home, 'config.json'), '{"auths":{"registry.example:5000":{}}}');
    for (const words of [
      ['create', '--name', 'still', 'hello'],
      ['run', '-d', '--name', 'web', 'hello', 'sleep', '1000'],
    ]) {
      await runProgram(node, [...script, '-H', `unix://${engine.path}`, ...words]);
    }
  });

  afterAll(async () => {
    await rm(home, { recursive: true });
    await engine[Symbol.asyncDispose]();
  });

  const completed = async (...words: string[]): Promise<string[]> => {
    const environment = { SKIFF_HOST: `unix://${engine.path}`, SKIFF_HOME: home, HOME: home, DOCKER_CONFIG: home };
    const { stdout, stderr } = await runProgram(node, [...script, '__complete', ...words], { environment });
    expect(stderr).toBe('');
    return stdout.trim().split('\n').map((line) => line.replace(/\t.*/, ''));
  }; // prettier-ignore

  it.each([
    [['netw'], ['network']],
    [
      ['network', 'c'],
      ['connect', 'create'],
    ],
    [
      ['machine', 'st'],
      ['start', 'stop', 'status'],
    ],
    [['--h'], ['--host']],
    [['image', 'hi'], ['history']],
    [
      ['container', 'snapshot', 'c'],
      ['commit', 'create'],
    ],
    [['container', 'sn'], ['snapshot']],
    [['pull', 'localhost:'], ['localhost:5000/team/app:1.2']],
    [['image', 'tree', '--sort', 's'], ['size']],
    [['logout', ''], ['registry.example:5000']],
    [['import', ''], [':file']],
    [['stop', ''], ['web']],
    [['start', ''], ['still']],
    [
      ['rm', '-f', ''],
      ['still', 'web'],
    ],
    [['exec', '-it', 'w'], ['web']],
    [['exec', 'web', ''], ['']],
    [['run', 'h'], ['hello']],
    [['run', '--rm', '-p', '80:80', 'localhost:'], ['localhost:5000/team/app:1.2']],
    [
      ['run', '--pull', ''],
      ['always', 'missing', 'never'],
    ],
    [['run', '--pull=n'], ['--pull=never']],
    [['run', '--health-i'], ['--health-interval']],
    [['run', '--env-file', ''], [':file']],
    [['context', 'use', ''], ['default']],
    [['completion', 'z'], ['zsh']],
    [['bogus', ''], ['']],
    [['-H', 'unix:///nowhere', 'stop', ''], ['']],
  ])('%j', async (words, found) => expect((await completed(...words)).sort()).toEqual([...found].sort()));

  describeWith([{ program: 'bash' }], 'in bash', () => {
    const typed = async (line: string): Promise<string[]> => {
      const file = join(home, 'skiff.bash');
      const call = `${node} -- ${script[1] ?? ''}`;
      await writeFile(file, completionScripts['bash'] ?? '');
      const command = [
        // What is completed is a function here; on a computer of a person it is the command in their path.
        `skiff() { ${call} "$@"; }`,
        `source ${file}`,
        `COMP_LINE=${JSON.stringify(line)}; COMP_POINT=${line.length}`,
        '_skiff; printf "%s\\n" "${COMPREPLY[@]}"',
      ].join('\n');
      const environment = { SKIFF_HOST: `unix://${engine.path}` };
      const { stdout } = await runProgram('bash', ['-c', command], { workingDir: home, environment });
      return stdout.trim().split('\n');
    };

    it('offers verbs, names, what follows a colon, and files', async () => {
      expect(await typed('skiff netw')).toEqual(['network']);
      expect(await typed('skiff stop ')).toEqual(['web']);
      expect(await typed('skiff run localhost:5000/te')).toEqual(['5000/team/app:1.2']);
      expect(await typed('skiff run --env-file skiff.b')).toEqual(['skiff.bash']);
    });
  });

  describe.each([['bash', ['-n']], ['zsh', ['-n']], ['fish', ['--no-execute']]] as const)('in %s', (shell, flags) => {
    describeWith([{ program: shell }], 'the script', () => {
      it('is read without an error', async () => {
        const file = join(home, `script.${shell}`);
        await writeFile(file, completionScripts[shell] ?? '');
        expect(await runProgram(shell, [...flags, file])).toMatchObject({ exitCode: 0, stderr: '' });
      });
    });
  }); // prettier-ignore
});
