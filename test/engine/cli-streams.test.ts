import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram, skiffCommand, startProgram } from '../peers/program.ts';
import type { ProgramResult, RunningProgram } from '../peers/program.ts';
import { describeWith } from '../skip.ts';
import { eventually } from './docker.ts';
import { startEngine } from './start-engine.ts';
import type { RunningEngine } from './start-engine.ts';

/** What goes on while one looks: terminals in containers, statistics, events. */
describeWith(['linux', 'root', { program: 'crun' }, { program: 'script' }], 'skiff follows', () => {
  let engine: RunningEngine;
  const folder = mkdtempSync(join(tmpdir(), 'skiff-streams-'));
  const [node, ...program] = skiffCommand;
  const words = (args: readonly string[]): string[] => [...program, '-H', `unix://${engine.socket}`, ...args];
  const skiff = (...args: string[]): Promise<ProgramResult> => runProgram(node, words(args));
  const begin = (...args: string[]): RunningProgram => startProgram(node, words(args), { input: null });

  beforeAll(async () => {
    engine = await startEngine();
    expect(await skiff('run', '-d', '--name', 'web', 'hello', 'sleep', '1000')).toMatchObject({ exitCode: 0 });
  });

  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** On a terminal of 33 lines and 99 columns; `before` is a command of the shell in it. */
  const onTerminal = (before: string, ...args: string[]): RunningProgram => {
    const quoted = [node, ...words(args)].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    const command = `stty rows 33 cols 99; ${before} ${quoted.join(' ')}; echo "exit $?"; stty -a | grep -o -e '-\\?icanon'`;
    return startProgram('script', ['-qec', command, '/dev/null'], { input: null });
  };

  it('a terminal in a running container, with its size, keys and exit code', async () => {
    // The size comes a moment after the command has begun (docs/compatibility.md).
    const inside = 'until stty size 2>/dev/null; do sleep 0.05; done; read line; echo got $line; exit 4';
    await using shell = onTerminal('', 'exec', '-it', 'web', 'sh', '-c', inside);
    await shell.shows(/33 99/);
    shell.type('word\r');
    expect((await shell.ended).stdout).toMatch(/33 99\r\nword\r\ngot word\r\nexit 4\r\nicanon\r\n$/);
  });

  it('the terminal’s size when it changes', async () => {
    const go = join(folder, 'go');
    const change = `mkfifo ${go}; (read x < ${go}; stty rows 50 cols 120 < /dev/tty) &`;
    // The size that it begins with may be told as a change too.
    const inside =
      'trap \'s=$(stty size); echo "$s"; test "$s" = "50 120" && exit 0\' WINCH; echo ready; while :; do sleep 0.05; done';
    await using shell = onTerminal(change, 'exec', '-it', 'web', 'sh', '-c', inside);
    await shell.shows(/ready/);
    writeFileSync(go, '\n');
    await shell.shows(/50 120/);
    expect((await shell.ended).stdout).toMatch(/exit 0\r\n/);
  });

  it('detaches from a command at the keys that were chosen, and the command goes on', async () => {
    await using shell = onTerminal('', 'exec', '-it', '--detach-keys', 'ctrl-x,q', 'web', 'sh', '-c', 'echo ready; read x; sleep 1001');
    await shell.shows(/ready/);
    shell.type('\x18');
    shell.type('q');
    expect((await shell.ended).stdout).toMatch(/read escape sequence\r?\nexit 0\r\nicanon\r\n$/);
    expect((await skiff('top', 'web')).stdout).toContain('read x; sleep 1001');
  });

  it('passes stdin and both outputs of a command byte for byte', async () => {
    const input = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    const ran = await runProgram(node, words(['exec', '-i', 'web', 'sh', '-c', 'cat; echo done >&2; exit 3']), { input });
    expect(ran).toMatchObject({ exitCode: 3, stderr: 'done\n' });
    expect(ran.stdout === input.toString('latin1')).toBe(true);
  });

  it('statistics, sample by sample, until the last container ends', async () => {
    expect(await skiff('run', '-d', '--rm', '--name', 'short', 'hello', 'sleep', '1000')).toMatchObject({ exitCode: 0 });
    await using stats = begin('stats', '--format', '{{.Name}} {{.PIDs}} {{.MemUsage}}', 'short');
    await stats.shows(/short 1 [\d.]+[KM]iB \/ [\d.]+[GM]iB\nshort 1/);
    await skiff('rm', '-f', 'short');
    expect(await stats.ended).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('statistics of what runs, once', async () => {
    const { stdout } = await skiff('stats', '--no-stream');
    expect(stdout).toMatch(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS\n[0-9a-f]{12} +web /);
  });

  it('events as they come, with all their digits', async () => {
    await using lines = begin('events', '--filter', 'container=seen');
    await using json = begin('events', '--filter', 'container=seen', '--format', 'json');
    // The streams say nothing until something happens: so it happens until both have seen it.
    await eventually('both streams are open', async () => {
      await skiff('run', '--rm', '--name', 'seen', 'hello', 'true');
      const seen = await Promise.allSettled([lines.shows(/container destroy/, 1_000), json.shows(/"destroy"/, 1_000)]);
      return seen.every(({ status }) => status === 'fulfilled') ? true : null;
    });
    for (const program of [lines, json]) program.kill('SIGTERM');
    const { stdout } = await lines.ended;
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z container destroy [0-9a-f]{64} \(image=hello, name=seen[,)]/m);
    const seen = (await json.ended).stdout.trim().split('\n').map((line): unknown => JSON.parse(line));
    expect(seen).toContainEqual(expect.objectContaining({ Type: 'container', Action: 'destroy', timeNano: expect.any(Number) }));
  });
}); // prettier-ignore
