import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startFakeEngine } from '../test/peers/fake-engine.ts';
import { archiveOf } from '../test/peers/fake-engine/archive.ts';
import { runProgram, skiffCommand, skiffFromSources, startProgram } from '../test/peers/program.ts';
import type { ProgramResult } from '../test/peers/program.ts';
import { cliSuite } from './cli.suite.ts';

cliSuite('skiff and the fake engine', startFakeEngine);

const [node, ...script] = skiffCommand;

describe('which engine is meant', () => {
  const skiff = (environment: Record<string, string>, ...args: string[]): Promise<ProgramResult> =>
    runProgram(node, [...script, ...args], {
      environment: { SKIFF_HOST: '', SKIFF_MACHINE: '', SKIFF_HOME: '/nowhere/skiff', ...environment },
    });

  it('is the one of --host, else of SKIFF_HOST', async () => {
    await using engine = await startFakeEngine();
    const host = `unix://${engine.path}`;
    expect(await skiff({}, '-H', host, 'images', '-q')).toMatchObject({ exitCode: 0 });
    expect(await skiff({ SKIFF_HOST: host }, 'images', '-q')).toMatchObject({ exitCode: 0 });
    expect(await skiff({ DOCKER_HOST: host }, 'images', '-q')).toMatchObject({ exitCode: 1 });
    expect(await skiff({ SKIFF_HOST: host }, '-m', 'other', 'images')).toMatchObject({
      stderr: 'there is no machine "other". Make it with: skiff machine create other\n',
    });
  });

  it.each([
    [['ps'], 'there is no machine "default". Make it with: skiff machine create default\n'],
    [['-m', 'a/b', 'ps'], /^"a\/b" cannot name a machine/],
    [
      ['-H', 'unix:///nowhere/s', 'ps'],
      /^cannot connect to the engine at unix:\/\/\/nowhere\/s: .*ENOENT.* Is it running\?\n$/,
    ],
    [['-H', 'ssh://1.2.3.4', 'ps'], '--host ssh://1.2.3.4: only unix://, npipe:// and tcp:// are supported\n'],
    [['-H', 'nonsense', 'ps'], 'invalid host "nonsense": use unix:///path/to/socket or tcp://host:port\n'],
    [['-H', 'unix:///x', '-m', 'y', 'ps'], 'conflicting options: cannot specify both --host and --machine\n'],
    [['-H', 'unix:///x', '-c', 'y', 'ps'], 'conflicting options: cannot specify both --host and --context\n'],
  ])('says what to do: %j', async (args, says) => {
    const { exitCode, stderr } = await skiff({}, ...args);
    expect(exitCode).toBe(1);
    if (typeof says === 'string') expect(stderr).toBe(says);
    else expect(stderr).toMatch(says);
  });

  it('tells a machine that is stopped from one that is not there', async () => {
    const home = await mkdtemp(join(tmpdir(), 'skiff-home-'));
    await mkdir(join(home, 'machines', 'web'), { recursive: true });
    await writeFile(join(home, 'machines', 'web', 'machine.json'), '{}');
    const { stderr } = await skiff({ SKIFF_HOME: home }, '-m', 'web', 'stop', 'a', 'b');
    expect(stderr).toBe('machine "web" is not running. Start it with: skiff machine start web\n');
    await rm(home, { recursive: true });
  });
});

describe('the command itself', () => {
  it('runs from the sources of a checkout too', async () => {
    await using engine = await startFakeEngine();
    const [file, ...words] = skiffFromSources;
    const ran = await runProgram(file, [...words, '-H', `unix://${engine.path}`, 'run', '--rm', 'hello', 'echo', 'hi']);
    expect(ran).toMatchObject({ exitCode: 0, stdout: 'hi\n', stderr: '' });
  });

  it.each([
    { args: ['bogus'], exitCode: 1, says: 'skiff: unknown command: skiff bogus' },
    { args: ['machine', 'bogus'], exitCode: 1, says: 'skiff: unknown command: skiff machine bogus' },
    { args: ['build', '.'], exitCode: 1, says: "skiff: 'skiff build' is not supported yet" },
    { args: ['--bogus', 'ps'], exitCode: 125, says: 'unknown flag: --bogus' },
  ])('refuses $args', async ({ args, exitCode, says }) => {
    expect(await runProgram(node, [...script, ...args])).toMatchObject({
      exitCode,
      stdout: '',
      stderr: expect.stringContaining(says),
    });
  });

  it.each([
    [[]],
    [['--help']],
    [['help']],
    [['machine']],
    [['machine', '--help']],
    [['run', '--help']],
    [['help', 'run']],
  ])('shows help: %j', async (args) => {
    expect(await runProgram(node, [...script, ...args])).toMatchObject({
      exitCode: 0,
      stderr: '',
      stdout: expect.stringMatching(/^Usage: {2}skiff/),
    });
  });
});

describe('the engine goes away', () => {
  it('ends a run with an error and 125, not with the exit code of a container that may still run', async () => {
    await using engine = await startFakeEngine();
    await using program = startProgram(node, [
      ...script,
      '-H',
      `unix://${engine.path}`,
      'run',
      'hello',
      'sh',
      '-c',
      'echo ready; sleep 1000',
    ]);
    await program.shows(/ready/);
    engine.disconnectAll();
    expect(await program.ended).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining('the connection to the engine was lost'),
    });
  });

  it('ends a followed log with an error', async () => {
    await using engine = await startFakeEngine();
    const host = `unix://${engine.path}`;
    await runProgram(node, [
      ...script,
      '-H',
      host,
      'run',
      '-d',
      '--name',
      'talker',
      'hello',
      'sh',
      '-c',
      'echo ready; sleep 1000',
    ]);
    await using program = startProgram(node, [...script, '-H', host, 'logs', '-f', 'talker']);
    await program.shows(/ready/);
    engine.disconnectAll();
    expect(await program.ended).toMatchObject({
      exitCode: 1,
      stdout: 'ready\n',
      stderr: expect.stringContaining('was lost'),
    });
  });
});

it('loads images from a file and from stdin', async () => {
  await using engine = await startFakeEngine({ images: [] });
  const load = (options: { input?: Buffer }, ...args: string[]): Promise<ProgramResult> =>
    runProgram(node, [...script, '-H', `unix://${engine.path}`, 'load', ...args], options);
  const folder = await mkdtemp(join(tmpdir(), 'skiff-load-'));
  await writeFile(join(folder, 'image.tar'), archiveOf(['hello:latest']));
  expect(await load({}, '-i', join(folder, 'image.tar'))).toMatchObject({
    exitCode: 0,
    stdout: 'Loaded image: hello:latest\n',
  });
  expect(await load({ input: archiveOf(['other:1']) })).toMatchObject({
    exitCode: 0,
    stdout: 'Loaded image: other:1\n',
  });
  expect(await load({}, '-i', join(folder, 'none.tar'))).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('none.tar'),
  });
  expect(await load({ input: Buffer.from('x') })).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('invalid archive'),
  });
  await rm(folder, { recursive: true });
});
