import { createServer as createTcpServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import type { TestSshd } from '../../test/peers/sshd.ts';
import { sshdProgram, startSshd } from '../../test/peers/sshd.ts';
import { generateSshKeyPair } from './keys.ts';
import type { SshConnection } from './ssh-connection.ts';
import { connectSsh, pinnedTarget } from './ssh-connection.ts';
import { shellQuote } from '../line/line.ts';

const never = new AbortController().signal;

describeWith(['linux', { program: sshdProgram }], 'an SSH connection to a real sshd', () => {
  let sshd: TestSshd;
  let ssh: SshConnection;

  beforeAll(async () => {
    sshd = await startSshd();
    ssh = await open();
  });
  afterAll(async () => {
    await ssh[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
  });

  const open = (change: { hostKey?: string; privateKey?: string; deadlineMs?: number } = {}): Promise<SshConnection> =>
    connectSsh(
      pinnedTarget({
        host: '127.0.0.1',
        port: sshd.port,
        user: sshd.user,
        privateKey: change.privateKey ?? sshd.identity.privateKey,
        hostKey: change.hostKey ?? sshd.hostKey.publicKey,
      }),
      { signal: never, deadlineMs: change.deadlineMs ?? 30_000 },
    );

  it('keeps stdout, stderr and exit code of a command apart', async () => {
    const result = await ssh.run('echo out; echo err >&2; exit 7', { signal: never });
    expect(result).toEqual({ stdout: 'out\n', stderr: 'err\n', exitCode: 7, signal: null });
  });

  it('gives a command its input and ends it', async () => {
    const { stdout } = await ssh.run('wc -c', { signal: never, input: 'x'.repeat(100_000) });
    expect(stdout.trim()).toBe('100000');
  });

  it('names the signal that ended a command', async () => {
    expect(await ssh.run('kill -TERM $$', { signal: never })).toMatchObject({ signal: 'TERM', exitCode: 143 });
  });

  it('runs many short commands at once and mixes nothing up', async () => {
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, index) => ssh.run(`echo ${index}`, { signal: never })),
    );
    expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 12 }, (_, index) => `${index}\n`));
  });

  it('says what a failed command said', async () => {
    await expect(ssh.check('echo no such thing >&2; exit 4', { signal: never })).rejects.toMatchObject({
      code: 'ssh-failed',
      message: expect.stringMatching(/exit code 4: no such thing/),
    });
  });

  it('ends a command that takes too long', async () => {
    await expect(ssh.run('exec sleep 60', { signal: never, timeoutMs: 200 })).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('exec sleep 60'),
    });
  });

  it('makes a terminal of the size that is asked for', async () => {
    const output = new PassThrough();
    const status = await ssh.exec({
      command: 'stty size; test -t 0',
      stdin: null,
      stdout: output,
      stderr: new PassThrough(),
      terminal: { columns: 101, rows: 37, type: 'xterm' },
      signal: never,
    });
    output.end();
    expect(status).toEqual({ exitCode: 0, signal: null });
    expect((await text(output)).trim()).toBe('37 101');
  });

  it('passes streams of the caller through, input to its end', async () => {
    const output = new PassThrough();
    const running = ssh.exec({
      command: 'cat; exit 5',
      stdin: Readable.from([Buffer.from('one '), Buffer.from('two')]),
      stdout: output,
      stderr: new PassThrough(),
      terminal: null,
      signal: never,
    });
    expect(await running).toEqual({ exitCode: 5, signal: null });
    output.end();
    expect(await text(output)).toBe('one two');
  });

  it('streams a large upload with back-pressure and reports how far it is', async () => {
    const path = join(sshd.folder, 'uploaded file');
    const chunk = Buffer.alloc(64 * 1024, 'a');
    let lastSent = 0;
    const sent = await ssh.pipeInto(Readable.from(Array.from({ length: 64 }, () => chunk)), {
      command: `cat > ${shellQuote(path)}`,
      signal: never,
      onSent: (bytes) => (lastSent = bytes),
    });
    expect([sent, lastSent]).toEqual([4 * 1024 * 1024, 4 * 1024 * 1024]);
    expect((await readFile(path)).length).toBe(4 * 1024 * 1024);
  });

  it('tells of an upload that the machine has no room for', async () => {
    const source = Readable.from(Array.from({ length: 32 }, () => Buffer.alloc(64 * 1024)));
    await expect(ssh.pipeInto(source, { command: 'cat > /dev/full', signal: never })).rejects.toMatchObject({
      code: 'no-space',
    });
  });

  it('refuses a machine with another host key and never retries', async () => {
    const startedAt = performance.now();
    await expect(open({ hostKey: generateSshKeyPair('other').publicKey, deadlineMs: 120_000 })).rejects.toMatchObject({
      code: 'host-key',
      message: expect.stringMatching(/host key .*expected SHA256:.*got SHA256:/),
    });
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  it('says that the key was refused', async () => {
    await expect(open({ privateKey: generateSshKeyPair('stranger').privateKey })).rejects.toThrow(
      /refused this computer's SSH key/,
    );
  });

  it('tries again until the machine answers', async () => {
    sshd.refuse();
    const opening = open();
    setTimeout(() => sshd.accept(), 300);
    await using connection = await opening;
    expect(connection.isOpen).toBe(true);
  });

  it('gives up at the deadline and names the address', async () => {
    sshd.refuse();
    try {
      await expect(open({ deadlineMs: 300 })).rejects.toThrow(`127.0.0.1:${sshd.port}`);
    } finally {
      sshd.accept();
    }
  });

  it('ends waiting for a connection when it is aborted', async () => {
    sshd.refuse();
    try {
      const target = pinnedTarget({
        host: '127.0.0.1',
        port: sshd.port,
        user: sshd.user,
        privateKey: sshd.identity.privateKey,
        hostKey: sshd.hostKey.publicKey,
      });
      await expect(connectSsh(target, { signal: AbortSignal.timeout(100), deadlineMs: 60_000 })).rejects.toMatchObject({
        name: 'TimeoutError',
      });
    } finally {
      sshd.accept();
    }
  });

  it('tells of a connection that breaks, and fails what was under way', async () => {
    await using connection = await open();
    const running = connection.run('exec sleep 60', { signal: never });
    const refused = expect(running).rejects.toMatchObject({ code: 'ssh-failed' });
    // The command must be under way, not only asked for.
    await connection.run('true', { signal: never });
    sshd.cut();
    await refused;
    expect((await connection.closed).message).toContain('connection was lost');
    await expect(connection.run('true', { signal: never })).rejects.toMatchObject({ code: 'ssh-failed' });
    ssh = await open();
  });
});

describeWith(['linux', { program: sshdProgram }], 'channels to sockets of the machine', () => {
  let sshd: TestSshd;
  let ssh: SshConnection;
  let folder: string;

  beforeAll(async () => {
    sshd = await startSshd();
    folder = await mkdtemp(join(tmpdir(), 'skiff-channels-'));
    ssh = await connectSsh(
      pinnedTarget({
        host: '127.0.0.1',
        port: sshd.port,
        user: sshd.user,
        privateKey: sshd.identity.privateKey,
        hostKey: sshd.hostKey.publicKey,
      }),
      { signal: never, deadlineMs: 30_000 },
    );
  });
  afterAll(async () => {
    await ssh[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function serve(
    name: string,
    onClient: (client: Socket) => void,
  ): Promise<AsyncDisposable & { path: string; server: Server }> {
    const path = join(folder, name);
    const server = createServer({ allowHalfOpen: true }, onClient);
    await new Promise<undefined>((resolve) => server.listen(path, () => resolve(undefined)));
    return { path, server, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
  }

  it('carries what is said after this side has ended its own', async () => {
    await using echo = await serve('late.sock', (client) => {
      let heard = '';
      client.setEncoding('utf8').on('data', (piece: string) => (heard += piece));
      client.on('end', () => client.end(`heard: ${heard}`));
    });
    const stream = await ssh.dialUnix(echo.path);
    stream.end('all of it');
    expect(await text(stream)).toBe('heard: all of it');
  });

  it('goes on taking from this side after the other has ended its own', async () => {
    const whole = Promise.withResolvers<string>();
    await using echo = await serve('early.sock', (client) => {
      client.end('bye');
      text(client).then(whole.resolve, whole.reject);
    });
    const stream = await ssh.dialUnix(echo.path);
    expect(await text(stream)).toBe('bye');
    stream.end('still here');
    expect(await whole.promise).toBe('still here');
  });

  it('holds hundreds of channels in one connection', async () => {
    await using echo = await serve('many.sock', (client) => client.pipe(client));
    const streams = await Promise.all(Array.from({ length: 300 }, () => ssh.dialUnix(echo.path)));
    const answers = await Promise.all(
      streams.map((stream, index) => {
        stream.end(`number ${index}`);
        return text(stream);
      }),
    );
    expect(answers).toEqual(streams.map((_, index) => `number ${index}`));
  });

  it('carries megabytes both ways unharmed', async () => {
    await using echo = await serve('large.sock', (client) => client.pipe(client));
    const stream: Duplex = await ssh.dialUnix(echo.path);
    const sent = Buffer.alloc(3 * 1024 * 1024, 'skiff ');
    stream.end(sent);
    expect(Buffer.from(await text(stream)).equals(sent)).toBe(true);
  });

  it('says which socket is not there', async () => {
    await expect(ssh.dialUnix(join(folder, 'nobody.sock'))).rejects.toMatchObject({
      code: 'ssh-failed',
      message: expect.stringContaining('nobody.sock'),
    });
  });

  it('reaches a TCP port as the machine sees it', async () => {
    const server = createTcpServer((client) => client.end('from the port'));
    await new Promise<undefined>((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const stream = await ssh.dialTcp({ host: '127.0.0.1', port });
    stream.end();
    expect(await text(stream)).toBe('from the port');
    await new Promise((resolve) => server.close(resolve));
  });

  it('ends its channels when the connection breaks', async () => {
    await using silent = await serve('silent.sock', (client) => client.resume().on('end', () => client.end()));
    const stream = await ssh.dialUnix(silent.path);
    const ended = new Promise((resolve) => stream.once('close', resolve));
    sshd.cut();
    stream.on('error', () => undefined).resume();
    await ended;
    expect(ssh.isOpen).toBe(false);
  });
});
