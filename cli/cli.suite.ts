import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unixSocketDialer } from '../client/dial.ts';
import { EngineClient } from '../client/engine-client.ts';
import { runProgram, skiffCommand, startProgram } from '../test/peers/program.ts';
import type { ProgramOptions, ProgramResult, RunningProgram } from '../test/peers/program.ts';
import { terminalSuite } from './terminal/terminal.suite.ts';

/** A running engine with the image `hello`. */
export interface EngineForCli extends AsyncDisposable {
  readonly path: string;
}

/** What `skiff` does as a process against any engine: the fake one and the real one. */
export function cliSuite(title: string, start: () => Promise<EngineForCli>): void {
  describe(title, { timeout: 60_000 }, () => {
    let engine: EngineForCli;
    let folder: string;
    /** Looks and cleans up more quickly than a process does. */
    let client: EngineClient;

    beforeAll(async () => {
      engine = await start();
      client = new EngineClient(unixSocketDialer(engine.path));
      folder = await mkdtemp(join(tmpdir(), 'skiff-cli-'));
    });

    afterAll(async () => {
      for (const { Id } of await client.containers.list({ all: true })) {
        await client.containers.remove(Id, { force: true });
      }
      client[Symbol.dispose]();
      await rm(folder, { recursive: true, force: true });
      await engine[Symbol.asyncDispose]();
    });

    const [node, ...script] = skiffCommand;
    const words = (args: readonly string[]): string[] => [...script, '-H', `unix://${engine.path}`, ...args];
    const skiffWith = (options: ProgramOptions, ...args: string[]): Promise<ProgramResult> =>
      runProgram(node, words(args), options);
    const skiff = (...args: string[]): Promise<ProgramResult> => skiffWith({}, ...args);
    const begin = (options: ProgramOptions, ...args: string[]): RunningProgram =>
      startProgram(node, words(args), options);
    /** Runs what must succeed and gives its output without the last newline. */
    const done = async (...args: string[]): Promise<string> => {
      const result = await skiff(...args);
      expect(result).toMatchObject({ exitCode: 0, stderr: '' });
      return result.stdout.trimEnd();
    };

    describe('run', () => {
      it('prints what the default command of the image says', async () => {
        const result = await skiff('run', '--rm', 'hello');
        expect(result).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringMatching(/hello/i) });
      });

      it('keeps streams and exit code, and leaves nothing with --rm', async () => {
        const script = 'echo -n out; echo err >&2; exit 3';
        expect(await skiff('run', '--rm', '--name', 'cli-gone', 'hello', 'sh', '-c', script)).toEqual({
          exitCode: 3,
          signal: null,
          stdout: 'out',
          stderr: 'err\n',
        });
        expect(await done('ps', '-aq', '--filter', 'name=cli-gone')).toBe('');
      });

      it('passes stdin on byte for byte and ends when it ends', async () => {
        const input = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
        const result = await skiffWith({ input }, 'run', '--rm', '-i', 'hello', 'cat');
        expect(result).toMatchObject({ exitCode: 0, stderr: '' });
        expect(result.stdout === input.toString('latin1')).toBe(true);
      });

      it('leaves stdin alone without -i', async () => {
        expect(await skiffWith({ input: 'x' }, 'run', '--rm', 'hello', 'cat')).toMatchObject({
          exitCode: 0,
          stdout: '',
        });
      });

      it('gives variables, of flags, files and the caller, and a working directory', async () => {
        const file = join(folder, 'vars');
        await writeFile(file, '# comment\nFROM_FILE=1\nCALLER\n');
        const args = ['run', '--rm', '--env-file', file, '-e', 'FLAG=a b', '-w', '/tmp', 'hello'];
        const { stdout } = await skiffWith({ environment: { CALLER: 'me' } }, ...args, 'env');
        expect(stdout.split('\n')).toEqual(expect.arrayContaining(['FROM_FILE=1', 'CALLER=me', 'FLAG=a b']));
        expect((await skiff(...args, 'pwd')).stdout).toBe('/tmp\n');
      });

      it('prints the id with -d and writes it with --cidfile', async () => {
        const file = join(folder, 'cid');
        const id = await done('run', '-d', '--cidfile', file, '--name', 'cli-detached', 'hello', 'sleep', '1000');
        expect(id).toMatch(/^[0-9a-f]{64}$/);
        expect(await readFile(file, 'utf8')).toBe(id);
        expect(await done('ps', '-q', '--no-trunc', '--filter', 'name=cli-detached')).toBe(id);
        expect(await skiff('run', '--cidfile', file, 'hello')).toMatchObject({ exitCode: 125 });
        expect(await done('rm', '-f', 'cli-detached')).toBe('cli-detached');
      });

      it.each([
        { title: 'an image that is not there', args: ['no-such-image'], exitCode: 125, says: "Unable to find image 'no-such-image:latest' locally" },
        { title: 'a program that is not there', args: ['hello', 'no-such-program'], exitCode: 127, says: 'executable file not found' },
        { title: 'a flag that nobody knows', args: ['--bogus', 'hello'], exitCode: 125, says: 'unknown flag: --bogus' },
        { title: 'a flag that is not there', args: ['--use-api-socket', 'hello'], exitCode: 125, says: '--use-api-socket is not supported yet' },
        { title: 'a flag that is nearly right', args: ['--nmae', 'x', 'hello'], exitCode: 125, says: 'unknown flag: --nmae; did you mean --name?' },
        { title: 'a port that is none', args: ['-p', 'x', 'hello'], exitCode: 125, says: 'invalid containerPort: x' },
        { title: 'no image', args: [], exitCode: 1, says: "'skiff run' requires at least 1 argument" },
        { title: 'a terminal where there is none', args: ['-it', 'hello'], exitCode: 1, says: 'the input device is not a TTY' },
        { title: 'a file that is not there', args: ['--env-file', '/nowhere/vars', 'hello'], exitCode: 125, says: '/nowhere/vars' },
      ])('refuses $title', async ({ args, exitCode, says }) => {
        const before = await client.containers.list({ all: true });
        const result = await skiff('run', '--rm', ...args);
        expect(result).toMatchObject({ exitCode, stdout: '', stderr: expect.stringContaining(says) });
        expect((await client.containers.list({ all: true })).map(({ Id }) => Id)).toEqual(before.map(({ Id }) => Id));
      }); // prettier-ignore

      it('refuses a name that is taken, naming the holder', async () => {
        const id = await done('create', '--name', 'cli-taken', 'hello');
        const result = await skiff('run', '--name', 'cli-taken', 'hello');
        expect(result.exitCode).toBe(125);
        expect(result.stderr).toContain(`The container name "/cli-taken" is already in use by container "${id}"`);
        await done('rm', 'cli-taken');
      });

      it('passes signals on instead of dying of them', async () => {
        await using program = begin(
          {},
          'run',
          '--rm',
          'hello',
          'sh',
          '-c',
          'trap "exit 9" INT; echo ready; sleep 1000 & wait',
        );
        await program.shows(/ready/);
        program.kill('SIGINT');
        expect(await program.ended).toMatchObject({ exitCode: 9, signal: null });
      });

      it('gives the terminal back at the third interrupt that the container does not listen to', async () => {
        await using program = begin(
          {},
          'run',
          '--name',
          'cli-deaf',
          'hello',
          'sh',
          '-c',
          'trap "echo no" INT; echo ready; sleep 1000 & wait; wait; wait',
        );
        await program.shows(/ready/);
        program.kill('SIGINT');
        await program.shows(/no\n/);
        program.kill('SIGINT');
        await program.shows(/no\n(.|\n)*no\n/);
        program.kill('SIGINT');
        expect(await program.ended).toMatchObject({ exitCode: 1 });
        expect(await done('inspect', '-f', '{{.State.Status}}', 'cli-deaf')).toBe('running');
        await done('rm', '-f', 'cli-deaf');
      });
    });

    describe('a container’s life', () => {
      it('is created, started, followed, stopped, started again with its output, waited for and removed', async () => {
        const script = 'trap "echo bye; exit 5" TERM; echo up; sleep 1000 & wait';
        await done('create', '--name', 'cli-life', 'hello', 'sh', '-c', script);
        expect(await done('start', 'cli-life')).toBe('cli-life');
        await using log = begin({}, 'logs', '-f', 'cli-life');
        await log.shows(/up/);
        await using waiting = begin({}, 'wait', 'cli-life');
        expect(await done('stop', 'cli-life')).toBe('cli-life');
        expect((await log.ended).stdout).toBe('up\nbye\n');
        expect((await waiting.ended).stdout).toBe('5\n');
        await using again = begin({}, 'start', '-a', 'cli-life');
        await again.shows(/up/);
        await done('kill', '-s', 'TERM', 'cli-life');
        expect(await again.ended).toMatchObject({ exitCode: 5, stdout: 'up\nbye\n' });
        expect(await done('rm', 'cli-life')).toBe('cli-life');
      });

      it('goes on with stdin at start -ai', async () => {
        await done('create', '-i', '--name', 'cli-cat', 'hello', 'cat');
        expect(await skiffWith({ input: 'again' }, 'start', '-ai', 'cli-cat')).toMatchObject({
          exitCode: 0,
          stdout: 'again',
        });
        await done('rm', 'cli-cat');
      });

      it('is restarted and killed', async () => {
        await done('run', '-d', '--name', 'cli-again', 'hello', 'sleep', '1000');
        expect(await done('restart', '-t', '0', 'cli-again')).toBe('cli-again');
        expect(await done('kill', 'cli-again')).toBe('cli-again');
        expect(await done('wait', 'cli-again')).toBe('137');
        expect(await skiff('kill', 'cli-again')).toMatchObject({
          exitCode: 1,
          stderr: expect.stringContaining('is not running'),
        });
        await done('rm', 'cli-again');
      });

      it('is attached to while it runs', async () => {
        await done('run', '-d', '-i', '--name', 'cli-attach', 'hello', 'cat');
        await using program = begin({ input: null }, 'attach', 'cli-attach');
        program.type('typed\n');
        await program.shows(/typed/);
        await done('kill', 'cli-attach');
        expect((await program.ended).exitCode).toBe(137);
        expect(await skiff('attach', 'cli-attach')).toMatchObject({
          exitCode: 1,
          stderr: expect.stringContaining('start it first'),
        });
        await done('rm', 'cli-attach');
      });

      it('does to each what can be done, and fails for the rest', async () => {
        await done('create', '--name', 'cli-one', 'hello');
        const result = await skiff('rm', 'cli-one', 'cli-two');
        expect(result).toEqual({
          exitCode: 1,
          signal: null,
          stdout: 'cli-one\n',
          stderr: 'Error response from daemon: No such container: cli-two\n',
        });
        expect(await skiff('rm', '-f', 'cli-two')).toMatchObject({ exitCode: 0, stdout: '' });
      });
    });

    describe('logs', () => {
      beforeAll(async () => {
        await done('run', '--name', 'cli-logs', 'hello', 'seq', '5');
      }, 60_000);

      afterAll(async () => {
        await done('rm', 'cli-logs');
      });

      it.each([
        { args: ['-n', '2'], stdout: '4\n5\n' },
        { args: ['--tail', '0'], stdout: '' },
        { args: ['--tail', 'all'], stdout: '1\n2\n3\n4\n5\n' },
        { args: ['--since', '1h'], stdout: '1\n2\n3\n4\n5\n' },
        { args: ['--until', '1h'], stdout: '' },
        { args: ['--until', '2001-01-01'], stdout: '' },
      ])('$args', async ({ args, stdout }) => {
        expect(await skiff('logs', ...args, 'cli-logs')).toMatchObject({ exitCode: 0, stdout, stderr: '' });
      });

      it('stamps lines', async () => {
        expect((await skiff('logs', '-t', '-n', '1', 'cli-logs')).stdout).toMatch(
          /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 5\n$/,
        );
      });

      it.each([
        { args: ['cli-nobody'], exitCode: 1, says: 'Error response from daemon: No such container: cli-nobody\n' },
        { args: ['--since', 'tomorrow', 'cli-logs'], exitCode: 1, says: 'invalid value for "since"' },
        { args: [], exitCode: 1, says: "'skiff logs' requires 1 argument" },
      ])('refuses $args', async ({ args, exitCode, says }) => {
        expect(await skiff('logs', ...args)).toMatchObject({
          exitCode,
          stdout: '',
          stderr: expect.stringContaining(says),
        });
      });

      it('ends quietly when the reader has seen enough', async () => {
        const id = await done('run', '-d', '--name', 'cli-many', 'hello', 'seq', '200000');
        using written = await client.containers.wait(id);
        await written.answer;
        await using program = begin({}, 'logs', 'cli-many');
        await program.shows(/1\n/);
        program.closeOutput();
        expect(await program.ended).toMatchObject({ exitCode: 141, stderr: '' });
        await done('rm', 'cli-many');
      });
    });

    describe('lists', () => {
      beforeAll(async () => {
        await done('create', '--name', 'cli-list', '-l', 'suite=cli', 'hello', 'echo', 'a long command that is cut');
      }, 60_000);

      afterAll(async () => {
        await done('rm', 'cli-list');
      });

      it('shows containers as a table, by name, as JSON and by a template', async () => {
        const only = ['ps', '-a', '--filter', 'label=suite=cli'];
        const [header = '', row = ''] = (await done(...only)).split('\n');
        expect(header).toMatch(/^CONTAINER ID {3}IMAGE {5}COMMAND +CREATED +STATUS +PORTS +NAMES$/);
        expect(row).toMatch(/^[0-9a-f]{12} {3}hello {5}"echo .+" .+ ago .+ cli-list$/);
        expect(await done(...only, '--format', '{{.Names}} {{.State}}')).toBe('cli-list created');
        expect(JSON.parse(await done(...only, '--format', 'json'))).toMatchObject({
          Names: 'cli-list',
          State: 'created',
        });
        expect(await done(...only, '--format', 'table {{.Names}}\\t{{.State}}')).toBe(
          'NAMES      STATE\ncli-list   created',
        );
        expect(await done('ps', '--filter', 'label=suite=cli', '-q')).toBe('');
      });

      it.each([
        {
          args: ['ps', '--filter', 'bogus=1'],
          exitCode: 1,
          says: "Error response from daemon: invalid filter 'bogus'",
        },
        { args: ['ps', '--filter', 'bogus'], exitCode: 125, says: 'bad format of filter (expected name=value)' },
        {
          args: ['ps', '--format', '{{range .}}'],
          exitCode: 1,
          says: 'template parsing error: template: :1: unexpected EOF',
        },
        { args: ['ps', 'x'], exitCode: 1, says: "'skiff ps' accepts no arguments" },
        { args: ['images', 'a', 'b'], exitCode: 1, says: "'skiff images' requires at most 1 argument" },
      ])('refuses $args', async ({ args, exitCode, says }) => {
        expect(await skiff(...args)).toMatchObject({ exitCode, stdout: '', stderr: expect.stringContaining(says) });
      });

      it('shows images', async () => {
        const [header = '', row = ''] = (await done('images')).split('\n');
        expect(header).toMatch(/^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
        expect(row).toMatch(/^hello +latest +[0-9a-f]{12} +.* ago +[\d.]+[kM]B$/);
        expect(await done('images', '-q', '--no-trunc')).toMatch(/^sha256:[0-9a-f]{64}$/);
      });

      it('inspects containers and images, also by a template', async () => {
        const [container, image] = JSON.parse(await done('inspect', 'cli-list', 'hello')) as Record<string, unknown>[];
        expect(container).toMatchObject({ Name: '/cli-list', State: { Status: 'created' } });
        expect(image).toMatchObject({ RepoTags: ['hello:latest'] });
        expect(
          await done('inspect', '-f', '{{index .Config.Labels "suite"}} {{json .State.ExitCode}}', 'cli-list'),
        ).toBe('cli 0');
        expect(await skiff('inspect', 'cli-nobody')).toEqual({
          exitCode: 1,
          signal: null,
          stdout: '[]\n',
          stderr: 'Error: No such object: cli-nobody\n',
        });
      });

      it('tells versions', async () => {
        expect(await done('version')).toMatch(/^Client: Skiff\n(.|\n)*\nServer: /);
        expect(await done('version', '-f', '{{.Server.ApiVersion}}')).toMatch(/^1\.\d+$/);
        expect(await done('info', '-f', '{{.OSType}}')).toBe('linux');
        expect(await done('--version')).toMatch(/^Skiff version \d/);
      });
    });

    terminalSuite({ words, done });
  });
}
