import { afterAll, beforeAll, expect, it } from 'vitest';
import { startFakeEngine } from '../test/peers/fake-engine.ts';
import type { FakeEngine } from '../test/peers/fake-engine.ts';
import { runProgram, skiffCommand } from '../test/peers/program.ts';
import type { ProgramResult } from '../test/peers/program.ts';
import { describeWith } from '../test/skip.ts';

/** The same words to docker's own CLI and to skiff, on one engine: output, errors and exit codes must be the same. */
describeWith([{ program: 'docker' }], 'skiff beside docker', () => {
  let engine: FakeEngine;
  const [node, ...script] = skiffCommand;

  const both = async (
    args: readonly string[],
    input = '',
  ): Promise<{ docker: ProgramResult; skiff: ProgramResult }> => {
    const host = ['-H', `unix://${engine.path}`];
    const docker = await runProgram('docker', [...host, ...args], { input });
    const skiff = await runProgram(node, [...script, ...host, ...args], { input });
    return { docker: neutral(docker), skiff: neutral(skiff) };
  };

  beforeAll(async () => {
    engine = await startFakeEngine({ images: ['hello:latest', 'localhost:5000/team/app:1.2'] });
    const docker = (...args: string[]): Promise<ProgramResult> =>
      runProgram('docker', ['-H', `unix://${engine.path}`, ...args]);
    const ports = ['-p', '8080:80', '-p', '127.0.0.1:9000-9001:90-91/udp', '-p', '53:53', '-p', '54:54'];
    await docker(
      'run',
      '-d',
      '--name',
      'web',
      '-l',
      'a=1',
      ...ports,
      'hello',
      'sh',
      '-c',
      'echo "out"; echo err >&2; sleep 1000',
    );
    await docker('run', '--name', 'over', 'hello', 'sh', '-c', 'exit 3');
    await docker('create', '--name', 'new', 'hello', 'sleep', '1000');
  });

  afterAll(() => engine[Symbol.asyncDispose]());

  const cases: readonly string[][] = [
    ['ps'],
    ['ps', '-a'],
    ['ps', '-a', '--no-trunc', '--format', 'table {{.ID}}\\t{{.Command}}\\t{{.Ports}}'],
    ['ps', '-aq'],
    ['ps', '-l', '-q'],
    ['ps', '-n', '2', '--format', '{{.Names}}\\t{{.Status}}\\t{{.Ports}}'],
    ['ps', '-a', '--format', 'table {{.ID}}\\t{{.Names}}\\t{{.Command}}'],
    ['ps', '-a', '--format', 'table {{.Names}} is {{.State}}'],
    ['ps', '-a', '--filter', 'name=web', '--filter', 'status=running', '-q'],
    ['ps', '--filter', 'bogus=1'],
    ['ps', '--filter', 'bogus'],
    ['ps', '--bogus'],
    ['ps', '-x'],
    ['ps', '--format'],
    ['ps', '-n', 'x'],
    ['ps', 'x'],
    ['images'],
    ['images', '-q'],
    ['images', '-q', '--no-trunc'],
    ['images', '--format', '{{.Repository}}:{{.Tag}} {{.Size}}'],
    ['images', 'a', 'b'],
    ['logs', 'web'],
    ['logs', '-n', '1', 'web'],
    ['logs', 'nobody'],
    ['logs'],
    ['inspect', '-f', '{{.Name}} {{.State.Status}} {{json .Config.Cmd}} {{.Config.Cmd}} {{.Config.Labels}}', 'web', 'over'],
    ['inspect', '-f', '{{index .Config.Cmd 0}} {{len .Config.Cmd}} {{join .Config.Cmd "/"}}', 'web'],
    ['inspect', 'nobody'],
    ['inspect'],
    ['wait', 'over'],
    ['wait', 'over', 'nobody'],
    ['stop', 'over'],
    ['stop', 'nobody'],
    ['kill', 'over'],
    ['kill', '-s', 'BOGUS', 'web'],
    ['start', 'web'],
    ['start', '-a', 'web', 'over'],
    ['start', '-a', 'over'],
    ['start', '-a', 'nobody'],
    ['attach', 'over'],
    ['attach', 'nobody'],
    ['rm', 'web'],
    ['rm', 'nobody', 'web'],
    ['rm', '-f', 'nobody'],
    ['rm'],
    ['restart', 'nobody'],
    ['load', '-i', '/nowhere/image.tar'],
    ['run'],
    ['run', '--rm', 'hello'],
    ['run', '--rm', 'hello', 'sh', '-c', 'echo out; echo err >&2; exit 42'],
    ['run', '--rm', '-i', 'hello', 'cat'],
    ['run', '--rm', 'hello', 'no-such-program'],
    ['run', '--rm', '-it', 'hello'],
    ['run', '--name', 'web', 'hello'],
    ['run', '--name', '-x', 'hello'],
    ['run', '--rm', '--bogus', 'hello'],
    ['run', '--rm', '--restart', 'always', 'hello'],
    ['run', '-p', 'bogus', 'hello'],
    ['run', '-p', 'x:80', 'hello'],
    ['run', '-p', '80/icmp', 'hello'],
    ['run', '-m', 'foo', 'hello'],
    ['run', '--cpus', 'x', 'hello'],
    ['run', '--env-file', '/nowhere/vars', 'hello'],
    ['run', '-d', '-a', 'stdout', 'hello'],
    ['run', '-a', 'stdlog', 'hello'],
    ['run', '--pull', 'sometimes', 'hello'],
    ['run', '--pull', 'never', 'no-such-image'],
    ['run', '--add-host', 'x', 'hello'],
    ['run', '--rm=maybe', 'hello'],
    ['run', '-e', '=x', 'hello'],
    ['run', '-l', '=x', 'hello'],
  ]; // prettier-ignore

  it.each(cases.map((words) => ({ words, title: words.join(' ') })))('$title', async ({ words }) => {
    const { docker, skiff } = await both(words, 'some input\n');
    expect(skiff).toEqual(docker);
  });
});

/** Without what may differ: the program's name, and ages and ids that change between the two. */
function neutral(result: ProgramResult): ProgramResult {
  const text = (output: string): string =>
    output
      .replaceAll(/\b(docker|skiff)(?=[ :'])/g, 'PROGRAM')
      .replaceAll(/\b(See|SRun)(?= ')/g, 'Run') // docker 28 says one, the other or misprints it
      .replaceAll(/(Less than a|About a|\d+) (second|minute)s? ago */g, 'SOON ago')
      // A column is as wide as its widest age, and `Less than a second` may become `1 second` between the two.
      .replaceAll(/^(.*\bCREATED) {2,}/gm, '$1  ');
  return { ...result, stdout: text(result.stdout), stderr: text(result.stderr) };
}
