import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endOfArchive } from '../../api/tar/writer.ts';
import { startHostileRegistry } from '../peers/hostile-registry.ts';
import type { HostileRegistry } from '../peers/hostile-registry.ts';
import { runProgram, skiffCommand, startProgram } from '../peers/program.ts';
import type { ProgramResult, RunningProgram } from '../peers/program.ts';
import { startRegistry } from '../peers/registry.ts';
import type { RunningRegistry } from '../peers/registry.ts';
import { describeWith } from '../skip.ts';
import { file } from './made-image.ts';
import { startEngine } from './start-engine.ts';
import type { RunningEngine } from './start-engine.ts';

/** What skiff does with images that docker's CLI does not, and what it does on a terminal. */
describeWith(['linux', 'root', { program: 'crun' }, { program: 'script' }], 'skiff and images', () => {
  const owner = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'skiff-images-'));
  const config = join(folder, 'docker');
  const [node, ...program] = skiffCommand;
  let engine: RunningEngine;
  let registry: RunningRegistry;
  let closed: RunningRegistry;
  let hostile: HostileRegistry;

  beforeAll(async () => {
    owner.defer(() => rmSync(folder, { recursive: true }));
    mkdirSync(config);
    [engine, registry, closed, hostile] = await Promise.all([
      startEngine(),
      startRegistry(),
      startRegistry({ auth: 'basic', users: { jane: 'sword fish' } }),
      startHostileRegistry(),
    ]);
    for (const each of [engine, registry, closed, hostile]) owner.use(each);
    await done(
      'run',
      '--name',
      'one',
      'hello',
      'sh',
      '-c',
      'mkdir /srv; head -c 100000 /dev/zero > /srv/big; echo 1 > /srv/kept',
    );
    await done('commit', '-m', 'more', 'one', 'app:1');
    await done('run', '--name', 'two', 'app:1', 'sh', '-c', 'rm /srv/big; echo 22 > /srv/kept; echo n > /srv/new');
    await done('commit', '-c', 'ENV A=1', 'two', 'app:2');
    await done('rm', 'one', 'two');
    await done('tag', 'app:2', `${registry.host}/team/app:1`);
    await done('push', `${registry.host}/team/app:1`);
  });

  afterAll(() => owner.disposeAsync());

  const words = (args: readonly string[]): string[] => [...program, '-H', `unix://${engine.socket}`, ...args];
  const environment = { SKIFF_HOME: folder, DOCKER_CONFIG: config };
  const skiff = (...args: string[]): Promise<ProgramResult> => runProgram(node, words(args), { environment });
  const done = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await skiff(...args);
    expect({ args, exitCode, stderr }).toMatchObject({ exitCode: 0 });
    return stdout.trimEnd();
  };
  const onTerminal = (...args: string[]): RunningProgram => {
    const quoted = [node, ...words(args)].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    // The shell has the key's signal too, and goes on by its trap.
    const command = `trap : INT; stty rows 20 cols 100; ${quoted.join(' ')}; echo "exit $?"; stty -a | grep -o -e '-\\?icanon'`;
    return startProgram('script', ['-qec', command, '/dev/null'], { input: null, environment });
  };
  const plain = (text: string): string =>
    Buffer.from(text, 'latin1')
      .toString('utf8')
      .replaceAll(/\x1b\[[0-9;]*m/g, ''); // eslint-disable-line no-control-regex -- colours
  const lines = (text: string): string[] => text.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '));

  it('image tree shows folders with their sizes, and what a layer did', async () => {
    expect(lines(plain(await done('image', 'tree', 'app:2', '/srv')))).toEqual([
      '5B /srv',
      '3B ├── kept',
      '2B └── new',
    ]);
    expect(lines(plain(await done('image', 'tree', '--layer', '2', 'app:2')))).toEqual([
      '1.98MB /',
      '5B └── srv/',
      '100kB D ├── big',
      '3B C ├── kept',
      '2B A └── new',
    ]);
    const json: unknown = JSON.parse(await done('image', 'tree', '--format', 'json', 'app:2'));
    expect(json).toMatchObject({ path: '/', node: { kind: 'directory' }, next: null });
    expect(await skiff('image', 'tree', 'app:2', '/nope')).toMatchObject({ exitCode: 1, stdout: '' });
  });

  it('image tree --waste names what nobody sees', async () => {
    const [first = '', ...rest] = await done('image', 'tree', '--waste', 'app:2').then((text) => lines(text));
    expect(first).toMatch(/^100kB of [\d.]+MB wasted: \d\d\.\d% of what is stored is seen$/);
    expect(rest[0]).toBe('100kB /srv/big (from layer 1, hidden by 2)');
  });

  it('image diff tells of configuration and files', async () => {
    const text = await done('image', 'diff', 'app:1', 'app:2');
    expect(text).toContain('1 added (2B), 1 changed (3B), 1 deleted (100kB)');
    expect(text).toContain('  Env.A: (none) -> "1"');
    expect(lines(await done('image', 'diff', '-q', 'app:1', 'app:2'))).toEqual([
      'D /srv/big',
      'C /srv/kept',
      'A /srv/new',
    ]);
  });

  it('squash and flatten print the new image and what was saved, and containers find the same files in it', async () => {
    const squashed = await skiff('image', 'squash', '--from', '1', '-t', 'app:small', 'app:2');
    expect(squashed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^sha256:[0-9a-f]{64}\n$/) });
    expect(squashed.stderr).toMatch(/^3 layers are 2 now, .* 100kB saved\.\n$/);
    await done('image', 'flatten', '-q', '-t', 'app:flat', 'app:2');
    for (const name of ['app:2', 'app:small', 'app:flat']) {
      expect(await done('run', '--rm', name, 'sh', '-c', 'echo $A; ls /srv; cat /srv/kept')).toBe('1\nkept\nnew\n22');
    }
    expect(await skiff('image', 'squash', '--from', '2', '--to', '1', 'app:2')).toMatchObject({ exitCode: 1 });
  });

  it('history on a terminal is a picture of the layers, with the numbers that squash takes', async () => {
    await using shown = onTerminal('history', 'app:2');
    const picture = lines(plain((await shown.ended).stdout));
    expect(picture[0]).toMatch(/^app:2 [\d.]+MB in 3 layers, 100kB of it unseen$/);
    expect(picture.slice(2, 5).map((line) => line.slice(0, 2))).toEqual(['2 ', '1 ', '0 ']);
    expect(picture[3]).toMatch(/^1 100kB [█▏▎▍▌▋▊▉]+ .* \(100kB unseen\)$/);
    expect(picture[4]).toContain('skiffd: built-in image hello');
  });

  it('a pull on a terminal draws a bar for each layer, settles it, and leaves the terminal as it was', async () => {
    const name = `${registry.host}/team/app:1`;
    await done('rmi', '-f', name, 'app:2', 'app:1', 'app:small', 'app:flat');
    await using shown = onTerminal('pull', name);
    const { stdout } = await shown.ended;
    expect(plain(stdout)).toContain('1: Pulling from team/app');
    expect(plain(stdout).match(/ ✓ [0-9a-f]{12} {2}(?:Pull complete|Already exists)/g)).toHaveLength(3);
    expect(plain(stdout)).toMatch(/Digest: sha256:[0-9a-f]{64}\r\nStatus: Downloaded newer image for \S+\r\n/);
    expect(stdout.lastIndexOf('\x1b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\x1b[?25l'));
    expect(stdout).toMatch(/exit 0\r\nicanon\r\n$/);
  });

  it('run pulls what is missing, with the progress on stderr and the output of the container on stdout', async () => {
    const name = `${registry.host}/team/app:1`;
    await done('rmi', '-f', name);
    const ran = await skiff('run', '--rm', name, 'cat', '/srv/kept');
    expect(ran).toMatchObject({ exitCode: 0, stdout: '22\n' });
    expect(ran.stderr).toMatch(/^Unable to find image '\S+' locally\n1: Pulling from team\/app\n/);
    await done('rmi', '-f', name);
    expect(await skiff('run', '--rm', '-q', name, 'true')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await skiff('run', '--rm', '--pull', 'never', `${registry.host}/none`)).toMatchObject({ exitCode: 125 });
  });

  it('ctrl-c ends a pull, tells so by its exit code, and gives the cursor back', async () => {
    const layer = Buffer.concat([file('f', randomBytes(200_000)), endOfArchive]);
    const { layers } = hostile.addImage('drip', [layer]);
    hostile.rule({ path: new RegExp(`/blobs/${layers[0] ?? ''}`), act: { kind: 'drip', bytes: 2_000, everyMs: 50 } });
    await using shown = onTerminal('pull', `${hostile.host}/app:drip`);
    await shown.shows(/Downloading/);
    shown.type('\x03');
    const { stdout } = await shown.ended;
    expect(stdout.lastIndexOf('\x1b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\x1b[?25l'));
    expect(stdout).toMatch(/interrupted\r\nexit 130\r\nicanon\r\n$/);
  });

  it('login asks on a terminal, and the password is neither seen nor kept where others could read it', async () => {
    await using asked = onTerminal('login', closed.host);
    await asked.shows(/Username: /);
    // Typed ahead: the password is there before it is asked for.
    asked.type('janx\x7fe\rsword fish\r');
    const { stdout } = await asked.ended;
    expect(stdout).toMatch(/Login Succeeded\r\nexit 0\r\nicanon\r\n$/);
    expect(stdout).not.toContain('sword fish');
    expect(readFileSync(join(config, 'config.json'), 'utf8')).toContain(
      Buffer.from('jane:sword fish').toString('base64'),
    );
    await done('tag', 'hello', `${closed.host}/mine:1`);
    await done('push', '-q', `${closed.host}/mine:1`);
    expect(await done('logout', closed.host)).toBe(`Removing login credentials for ${closed.host}`);
    expect(await skiff('push', '-q', `${closed.host}/mine:1`)).toMatchObject({ exitCode: 1 });
  });

  it('a login that cannot be read is told of, and images that want none come without', async () => {
    const broken = join(folder, 'broken');
    mkdirSync(broken);
    writeFileSync(join(broken, 'config.json'), '{"credsStore":"gone-with-docker-desktop"}');
    const pulled = await runProgram(node, words(['pull', '-q', `${registry.host}/team/app:1`]), {
      environment: { ...environment, DOCKER_CONFIG: broken },
    });
    expect(pulled.exitCode).toBe(0);
    expect(pulled.stderr).toMatch(
      /^WARNING: .*docker-credential-gone-with-docker-desktop cannot be run: it is not installed/,
    );
  });

  it('a save that fails leaves no half of an archive', async () => {
    const target = join(folder, 'half.tar');
    expect(await skiff('save', '-o', target, 'hello', 'no-such-image')).toMatchObject({ exitCode: 1 });
    expect(await skiff('save', '-o', target, 'hello')).toMatchObject({ exitCode: 0, stdout: '' });
    await done('load', '-q', '-i', target);
  });

  it('snapshots are taken, listed, compared, gone back to, branched from and removed', async () => {
    await done('run', '--name', 'snap', 'hello', 'sh', '-c', 'echo $(( $(cat /n 2>/dev/null) + 1 )) > /n');
    expect(await done('container', 'snapshot', 'create', '-m', 'after one', 'snap', 'first')).toBe('first');
    await done('start', '-a', 'snap');
    expect(await done('container', 'snapshot', 'ls', '--format', '{{.Name}} {{.Size}} {{.Comment}}', 'snap')).toBe(
      'first 2B after one',
    );
    expect(await done('container', 'snapshot', 'diff', '-q', 'snap', 'first')).toBe('C /n');
    await done('container', 'snapshot', 'branch', 'snap', 'first', 'snap-branch');
    await done('container', 'snapshot', 'rollback', 'snap', 'first');
    expect(await done('container', 'snapshot', 'diff', '-q', 'snap', 'first')).toBe('');
    await done('container', 'snapshot', 'rm', 'snap', 'first');
    expect(await done('container', 'snapshot', 'ls', '-q', 'snap')).toBe('');
    expect(await skiff('container', 'snapshot', 'rollback', 'snap', 'first')).toMatchObject({ exitCode: 1 });
    await done('rm', 'snap', 'snap-branch');
  });

  it('system df adds up, says what could go, and prints docker’s form where one is asked for', async () => {
    const text = await done('system', 'df', '-v');
    expect(text).toMatch(/^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages /);
    expect(text).toMatch(/\nAll +[\d.]+MB +[\d.]+[kM]B \(\d+%\)\n/);
    expect(text).toMatch(/\nIMAGE +IMAGE ID +LAYERS +SIZE +SHARED +UNIQUE +RECLAIMABLE +CONTAINERS\n/);
    expect(await done('system', 'df', '--format', '{{.Type}}')).toBe('Images\nContainers\nLocal Volumes\nBuild Cache');
    expect(await done('system', 'reclaim', '-n')).toMatch(
      /^compressed-copies: \d+, .*\nunfinished-downloads: \d+, .*\nReclaimable space: /,
    );
  });
});
