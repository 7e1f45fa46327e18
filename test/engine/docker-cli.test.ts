import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../skip.ts';
import { docker, eventually, type Ran } from './docker.ts';
import { type RunningEngine, startEngine } from './start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'the docker CLI on skiffd', () => {
  let engine: RunningEngine;
  const run = (words: readonly string[], input?: string): Promise<Ran> => docker(engine.socket, words, input);
  beforeAll(async () => void (engine = await startEngine()));
  afterAll(() => engine[Symbol.asyncDispose]());

  it('runs the built-in hello image and gives its greeting', async () => {
    const ran = await run(['run', '--rm', 'hello']);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ran.stdout).toContain('Skiff');
    expect((await run(['ps', '-aq'])).stdout).toBe('');
  });

  it.each([
    [['sh', '-c', 'exit 7'], 7],
    [['nosuch'], 127],
    [['/etc'], 126],
    [['true'], 0],
  ])('exits as the container did: %j', async (command, exitCode) => {
    const ran = await run(['run', '--rm', 'hello', ...command]);
    expect(ran.exitCode, ran.stderr).toBe(exitCode);
    expect((await run(['ps', '-aq'])).stdout).toBe('');
  });

  it('keeps stdout and stderr apart, byte by byte', async () => {
    const ran = await run(['run', '--rm', 'hello', 'sh', '-c', 'echo out; echo err >&2; printf end']);
    expect(ran).toEqual({ exitCode: 0, stdout: 'out\nend', stderr: 'err\n' });
  });

  it('gives its input to the container, and its end', async () => {
    const text = 'line\n'.repeat(50_000);
    const ran = await run(['run', '-i', '--rm', 'hello', 'wc', '-c'], text);
    expect(ran).toMatchObject({ exitCode: 0, stdout: `${text.length}\n` });
  });

  it('loses nothing of much output', async () => {
    const ran = await run(['run', '--rm', 'hello', 'seq', '200000']);
    expect(ran.stdout.length).toBe(Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`).join('').length);
  });

  it('sets variables, working directory, user, hostname and labels', async () => {
    const ran = await run([
      'run',
      '--rm',
      '-e',
      'COLOUR=red',
      '-w',
      '/tmp',
      '-u',
      '1234:99',
      '-h',
      'box',
      'hello',
      'sh',
      '-c',
      'echo $COLOUR $PWD $(id -u):$(id -g) $(hostname)',
    ]);
    expect(ran).toMatchObject({ exitCode: 0, stdout: 'red /tmp 1234:99 box\n' });
  });

  it('starts detached, lists, shows logs, stops and removes', async () => {
    const started = await run([
      'run',
      '-d',
      '--name',
      'worker',
      'hello',
      'sh',
      '-c',
      'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done',
    ]);
    expect(started.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    await eventually('the log', async () => ((await run(['logs', 'worker'])).stdout === 'ready\n' ? true : null));
    expect((await run(['ps', '--format', '{{.Names}} {{.Image}} {{.State}} {{.Command}}'])).stdout).toMatch(
      /^worker hello running "sh -c/,
    );
    const taken = await run(['run', '--name', 'worker', 'hello']);
    expect(taken).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('is already in use by container') });
    expect(await run(['rm', 'worker'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('container is running'),
    });
    expect(await run(['stop', 'worker'])).toMatchObject({ exitCode: 0, stdout: 'worker\n' });
    expect((await run(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'worker'])).stdout).toBe('exited 3\n');
    expect(await run(['start', 'worker'])).toMatchObject({ exitCode: 0 });
    expect(await run(['rm', '-f', 'worker'])).toMatchObject({ exitCode: 0 });
    expect(await run(['logs', 'worker'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('No such container: worker'),
    });
  });

  it('follows a log to its end', async () => {
    await run([
      'run',
      '-d',
      '--name',
      'talker',
      'hello',
      'sh',
      '-c',
      'for i in 1 2 3 4 5; do echo $i; sleep 0.1; done',
    ]);
    expect(await run(['logs', '-f', 'talker'])).toMatchObject({ exitCode: 0, stdout: '1\n2\n3\n4\n5\n' });
    expect((await run(['logs', '--tail', '2', 'talker'])).stdout).toBe('4\n5\n');
    expect((await run(['logs', '-t', '--tail', '1', 'talker'])).stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z 5\n$/);
    await run(['rm', 'talker']);
  });

  it('says what it cannot find, in the words and with the exit codes that people know', async () => {
    // Nobody listens there.
    expect(await run(['run', '--rm', 'localhost:1/nosuch'])).toMatchObject({
      exitCode: 125,
      stderr: expect.stringMatching(
        /^Unable to find image 'localhost:1\/nosuch:latest' locally\n[^]*connection refused/,
      ),
    });
    expect(await run(['inspect', 'nobody'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/no such object: nobody/i),
    });
    expect(await run(['stop', 'nobody'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('No such container: nobody'),
    });
    expect(await run(['exec', 'nobody', 'true'])).toMatchObject({ exitCode: 1 });
  });

  it('mounts a folder of the host, read-only when asked', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-bind-'));
    writeFileSync(path.join(folder, 'in'), 'from the host');
    expect(
      (await run(['run', '--rm', '-v', `${folder}:/data`, 'hello', 'sh', '-c', 'cat /data/in; echo back > /data/out']))
        .stdout,
    ).toBe('from the host');
    expect(readFileSync(path.join(folder, 'out'), 'utf8')).toBe('back\n');
    const refused = await run(['run', '--rm', '-v', `${folder}:/data:ro`, 'hello', 'sh', '-c', 'echo x > /data/no']);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('Read-only file system') });
    rmSync(folder, { recursive: true });
  });

  it('publishes a port on the address that it was told, and says when it is taken', async () => {
    await run([
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      '127.0.0.1::80',
      'hello',
      'sh',
      '-c',
      'mkdir /w; echo "served" > /w/index.html; httpd -f -p 80 -h /w',
    ]);
    const address = (await run(['port', 'web', '80'])).stdout.trim();
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    const page = await eventually('the page', () => get(Number(address.split(':')[1])));
    expect(page).toContain('served');
    const second = await run(['run', '--rm', '-p', `${address}:80`, 'hello']);
    expect(second).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('port is already allocated') });
    await run(['rm', '-f', 'web']);
    expect((await run(['ps', '-aq'])).stdout).toBe('');
  });

  it('reaches another container by its address', async () => {
    await run(['run', '-d', '--name', 'one', 'hello', 'sh', '-c', 'mkdir /w; echo hi > /w/index.html; httpd -f -h /w']);
    const address = (
      await run(['inspect', '-f', '{{.NetworkSettings.Networks.bridge.IPAddress}}', 'one'])
    ).stdout.trim();
    const said = await eventually('an answer', async () => {
      const { stdout } = await run(['run', '--rm', 'hello', 'timeout', '3', 'wget', '-qO-', `http://${address}/`]);
      return stdout === '' ? null : stdout;
    });
    expect(said).toBe('hi\n');
    await run(['rm', '-f', 'one']);
  });

  it('gives a container without a network lo and nothing else, and one on the host its interfaces', async () => {
    expect((await run(['run', '--rm', '--network', 'none', 'hello', 'ls', '/sys/class/net'])).stdout.trim()).toBe('lo');
    expect((await run(['run', '--rm', '--network', 'host', 'hello', 'ls', '/sys/class/net'])).stdout).toContain(
      'skiff-',
    );
  });

  it('limits memory and processes', async () => {
    const ran = await run([
      'run',
      '--rm',
      '-m',
      '64m',
      '--pids-limit',
      '30',
      'hello',
      'sh',
      '-c',
      'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null',
    ]);
    expect(ran.stdout).toBe('67108864\n30\n');
  });

  it('gives the container docker’s default capabilities and no more', async () => {
    const { stdout } = await run(['run', '--rm', 'hello', 'grep', 'CapEff', '/proc/self/status']);
    expect(stdout.trim()).toMatch(/CapEff:\s+00000000a80425fb/);
  });

  it('tells version and info, and lists images', async () => {
    expect((await run(['version', '--format', '{{.Server.Os}} {{.Server.APIVersion}}'])).stdout).toBe('linux 1.55\n');
    expect((await run(['info', '--format', '{{.OSType}} {{.Driver}} {{.ServerErrors}}'])).stdout).toBe(
      'linux overlay2 []\n',
    );
    expect((await run(['images', '--format', '{{.Repository}}:{{.Tag}}'])).stdout).toBe('hello:latest\n');
  });
});

function get(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const connection = net.connect(port, '127.0.0.1', () => connection.end('GET / HTTP/1.0\r\n\r\n'));
    let text = '';
    connection.on('data', (chunk: Buffer) => (text += chunk.toString()));
    connection.once('error', () => resolve(null));
    connection.once('close', () => resolve(text === '' ? null : text));
  });
}
