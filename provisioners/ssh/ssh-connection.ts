import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { AnyAuthMethod, Client as SshClient, ClientChannel, ConnectConfig } from 'ssh2';
import ssh2 from 'ssh2';
import { collect, commandFailed, commandTooSlow, outputOf, signalExitCode } from '../line/command.ts';
import type { CommandResult, ExecRequest, ExitStatus, Line, PipeOptions, RunOptions } from '../line/line.ts';
import { tcpDialer } from '../../client/dial.ts';
import { MachineError } from '../machines.ts';
import { type HostKeyRule, pinnedHostKey } from './pinned-host-key.ts';
import { connectFailure } from './ssh-error.ts';

/**
 * One SSH connection to one machine, with as many channels in it as are asked for: commands, unix sockets and TCP ports
 * of the machine. The host key is compared on every connect with the one that the machine was made with.
 */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Tried in this order. */
  readonly logins: readonly SshLogin[];
  readonly hostKey: HostKeyRule;
  /** The host before this one on the way: its connection carries this one's. */
  readonly via?: SshTarget;
}

export type SshLogin =
  | { readonly kind: 'key'; readonly privateKey: string; readonly passphrase?: string }
  /** Path of an agent's socket (a named pipe on Windows). */
  | { readonly kind: 'agent'; readonly socket: string }
  | { readonly kind: 'password'; readonly password: string };

export interface ConnectOptions {
  readonly signal: AbortSignal;
  /** How long to go on trying in all. */
  readonly deadlineMs: number;
  /** How long one try may take from the TCP connect to the login. Under emulation a key exchange takes seconds at worst. */
  readonly attemptTimeoutMs?: number;
  /** After so long without a word the host is asked for one; a connection on which three such questions stay open is ended. */
  readonly keepAliveMs?: number;
  /** `first-login`: with what the user has, not with the machine's own key, which decides what a refusal is told as. */
  readonly failure?: 'first-login';
}

/**
 * ChaCha20 first: an emulated guest takes it in at 17 MB/s and AES-GCM at 7, for emulated AES instructions are slow; on a real
 * processor the two differ little here (50 and 60 MB/s). Curve25519 is the cheapest key exchange on both sides.
 */
const algorithms: ConnectConfig['algorithms'] = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256'],
  cipher: ['chacha20-poly1305@openssh.com', 'aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr'],
  compress: ['none'],
};

/**
 * For a connection inside another one. ssh2's ChaCha20 writes from buffers that it uses again for the next packet; a socket has sent
 * them by then, a channel of another connection has not, and the host at the end sees a broken packet.
 */
const innerCiphers = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr'] as const;

/** The part of a try that needs no computing by the host, which may be emulated. */
const connectTimeoutMs = 5_000;

type ChannelRequest = readonly [
  what: string,
  signal: AbortSignal | undefined,
  open: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
];

interface OpenChannel {
  readonly channel: ClientChannel;
  readonly status: () => Promise<ExitStatus>;
}

/** Tries until the machine lets us in or the deadline passes; a wrong host key or a refused login ends it at once. */
export async function connectSsh(target: SshTarget, options: ConnectOptions): Promise<SshConnection> {
  const { signal, deadlineMs, attemptTimeoutMs = 15_000, keepAliveMs = 15_000 } = options;
  const where = `${target.host}:${target.port}`;
  const deadline = performance.now() + deadlineMs;
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
    signal.throwIfAborted();
    const remainingMs = deadline - performance.now();
    try {
      const timeoutMs = Math.max(1, Math.min(attemptTimeoutMs, remainingMs));
      return await connectOnce(target, { signal, timeoutMs, keepAliveMs });
    } catch (cause) {
      signal.throwIfAborted();
      const failure = connectFailure(cause, { where, isFirstLogin: options.failure === 'first-login' });
      if (failure.isFinal || performance.now() + pauseMs >= deadline) throw failure.error;
    }
    await delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function connectOnce(
  target: SshTarget,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly keepAliveMs: number },
): Promise<SshConnection> {
  const { signal, timeoutMs, keepAliveMs } = options;
  const before = target.via === undefined ? null : await connectOnce(target.via, options);
  let sock: Duplex;
  try {
    sock = await (before === null ? dialHost(target, { signal, timeoutMs }) : before.dialTcp(target, signal));
  } catch (error) {
    await before?.[Symbol.asyncDispose]();
    throw error;
  }
  const client = new ssh2.Client();
  let refusal: MachineError | null = null;
  const { promise: ready, resolve, reject } = Promise.withResolvers<undefined>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  client.once('ready', () => resolve(undefined));
  client.on('error', (error) => reject(refusal ?? error));
  client.once('close', () => reject(refusal ?? new Error('the connection was closed before the login')));
  client.connect({
    sock,
    username: target.user,
    authHandler: target.logins.map((login) => authMethod(target.user, login)),
    readyTimeout: timeoutMs,
    keepaliveInterval: keepAliveMs,
    keepaliveCountMax: 3,
    algorithms: {
      ...algorithms,
      ...(before === null ? {} : { cipher: [...innerCiphers] }),
      serverHostKey: [...target.hostKey.algorithms],
    },
    hostVerifier: (offered: Buffer) => {
      refusal = target.hostKey.check(offered);
      return refusal === null;
    },
  });
  try {
    await ready;
    client.setNoDelay(true);
    return new SshConnection(client, sock, before);
  } catch (error) {
    client.destroy();
    await before?.[Symbol.asyncDispose]();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** A host that is away lets a connect hang for as long as the kernel likes; a try at once after it is back is what counts. */
async function dialHost(
  target: SshTarget,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Duplex> {
  const timeoutMs = Math.min(connectTimeoutMs, options.timeoutMs);
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  try {
    return await tcpDialer(target, null)(AbortSignal.any([options.signal, timeout]));
  } catch (error) {
    if (!timeout.aborted || options.signal.aborted) throw error;
    throw new Error(`it did not answer within ${Math.round(timeoutMs / 100) / 10} s`, { cause: error });
  }
}

function authMethod(username: string, login: SshLogin): AnyAuthMethod {
  switch (login.kind) {
    case 'key': {
      const { privateKey: key, passphrase } = login;
      return { type: 'publickey', username, key, ...(passphrase === undefined ? {} : { passphrase }) };
    }
    case 'agent':
      return { type: 'agent', username, agent: login.socket };
    case 'password':
      return { type: 'password', username, password: login.password };
  }
}

/** A machine that proves itself with one host key (a public key line) and lets one private key in. */
export function pinnedTarget(target: {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey: string;
  readonly hostKey: string;
}): SshTarget {
  const { host, port, user, privateKey, hostKey } = target;
  const logins = [{ kind: 'key', privateKey }] as const;
  return { host, port, user, logins, hostKey: pinnedHostKey(hostKey, `${host}:${port}`) };
}

export class SshConnection implements Line {
  readonly #before: SshConnection | null;
  readonly #socket: Duplex;
  readonly #client: SshClient;
  readonly #closed: Promise<MachineError>;
  #isOpen = true;

  constructor(client: SshClient, socket: Duplex, before: SshConnection | null) {
    this.#client = client;
    this.#socket = socket;
    this.#before = before;
    // Each channel that is being opened listens for the end of the connection.
    client.setMaxListeners(0);
    let last: Error | null = null;
    client.on('error', (error) => (last = error));
    this.#closed = new Promise((resolve) => {
      client.once('close', () => {
        this.#isOpen = false;
        const why = last === null ? 'it was closed' : last.message;
        resolve(new MachineError('ssh-failed', `The SSH connection was lost: ${why}`, { cause: last ?? undefined }));
      });
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves, with the reason, when the connection has ended; never rejects. */
  get closed(): Promise<MachineError> {
    return this.#closed;
  }

  /**
   * A stream to a unix socket in the machine (`direct-streamlocal@openssh.com`). Half-close works both ways: `end()` shuts the
   * socket down for writing, and the stream ends when the other side does.
   */
  dialUnix(path: string, signal?: AbortSignal): Promise<Duplex> {
    const what = `the socket ${path}`;
    return this.#stream(what, signal, (done) => this.#client.openssh_forwardOutStreamLocal(path, done));
  }

  /** A stream to a TCP port as the machine sees it (`direct-tcpip`). */
  dialTcp(address: { readonly host: string; readonly port: number }, signal?: AbortSignal): Promise<Duplex> {
    const { host, port } = address;
    return this.#stream(`port ${port}`, signal, (done) => this.#client.forwardOut('127.0.0.1', 0, host, port, done));
  }

  /** Runs a command with streams of the caller; resolves when it has ended and all its output is written. */
  async exec(request: ExecRequest): Promise<ExitStatus> {
    const { command, terminal, signal } = request;
    const pty = terminal === null ? false : { cols: terminal.columns, rows: terminal.rows, term: terminal.type };
    const { channel, status } = await this.#channel('a command', signal, (done) => {
      if (command === null) this.#client.shell(pty, done);
      else this.#client.exec(command, { pty }, done);
    });
    const onAbort = (): void => {
      channel.signal('KILL');
      channel.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const input = request.stdin === null ? Readable.from([]) : request.stdin;
      // A command may end without reading its input, which is no error of ours; the exit code tells how it went.
      const feeding = pipeline(input, channel, { signal }).catch(() => undefined);
      await Promise.all([
        pipeline(channel, request.stdout, { end: false, signal }),
        pipeline(channel.stderr, request.stderr, { end: false, signal }),
      ]);
      const result = await status();
      if (request.stdin === null) await feeding;
      return result;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Runs a command and collects what it says; for short answers. */
  async run(command: string, options: RunOptions): Promise<CommandResult> {
    const { timeoutMs = 30_000, input = '' } = options;
    const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
    const signal = AbortSignal.any([options.signal, timeout]);
    try {
      const { channel, status } = await this.#channel('a command', signal, (done) => this.#client.exec(command, done));
      const stop = (): void => {
        channel.destroy();
      };
      signal.addEventListener('abort', stop, { once: true });
      channel.end(input);
      const [stdout, stderr] = await Promise.all([collect(channel, signal), collect(channel.stderr, signal)]);
      signal.removeEventListener('abort', stop);
      return { ...(await status()), stdout, stderr };
    } catch (error) {
      if (!timeout.aborted) throw error;
      throw commandTooSlow(command, timeoutMs, error);
    }
  }

  /** As `run`, and throws with what the command said when it fails. */
  async check(command: string, options: RunOptions): Promise<string> {
    return outputOf(command, await this.run(command, options));
  }

  /**
   * Streams `source` into a command of the machine, with back-pressure; resolves with the bytes sent when the command has
   * succeeded. A connection that breaks looks to the command like the end of its input, so commands check what they got.
   */
  async pipeInto(source: AsyncIterable<Uint8Array>, options: PipeOptions): Promise<number> {
    const { command, signal, onSent } = options;
    const { channel, status } = await this.#channel('a command', signal, (done) => this.#client.exec(command, done));
    const complaint = collect(channel.stderr, signal);
    channel.resume();
    let sentBytes = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of source) {
        yield chunk;
        sentBytes += chunk.byteLength;
        onSent?.(sentBytes);
      }
    };
    // A command that fails stops reading; what it says then is the better error.
    const [feeding, ending] = await Promise.allSettled([pipeline(counted(), channel, { signal }), status()]);
    signal.throwIfAborted();
    if (ending.status === 'rejected') throw ending.reason;
    if (ending.value.exitCode !== 0) {
      throw commandFailed(command, { exitCode: ending.value.exitCode, said: (await complaint).trim() });
    }
    if (feeding.status === 'rejected') throw feeding.reason;
    return sentBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#client.end();
    const inTime = await Promise.race([this.#closed.then(() => true), delay(1_000, false, { ref: false })]);
    // ssh2's own destroy leaves a socket alone that was ended: who waits for a channel on a dead network would wait on.
    if (!inTime) this.#socket.destroy();
    await this.#closed;
    await this.#before?.[Symbol.asyncDispose]();
  }

  async #stream(...request: ChannelRequest): Promise<Duplex> {
    return (await this.#channel(...request)).channel;
  }

  async #channel(...[what, signal, open]: ChannelRequest): Promise<OpenChannel> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<OpenChannel>();
    let isAbandoned = false;
    const abandon = (reason: unknown): void => {
      isAbandoned = true;
      reject(reason);
    };
    const onAbort = (): void => abandon(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    // ssh2 never calls back for a channel that was asked for on a connection that then breaks.
    const onClose = (): void =>
      abandon(new MachineError('ssh-failed', `The SSH connection was lost before ${what} was open`));
    this.#client.once('close', onClose);
    try {
      if (!this.#isOpen) throw new MachineError('ssh-failed', `The SSH connection is closed; ${what} cannot be opened`);
      open((error, channel) => {
        if (error !== undefined && error !== null) {
          reject(
            new MachineError('ssh-failed', `The machine would not open ${what}: ${error.message}`, { cause: error }),
          );
        } else if (isAbandoned) channel.destroy();
        else resolve({ channel, status: watchExit(channel) });
      });
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#client.off('close', onClose);
    }
  }
}

/**
 * Called in the very turn in which the channel opens: a short command's exit status may be in the same packet as the news
 * that it was started. The returned function waits for the end and may be called at any time, or never.
 */
function watchExit(channel: ClientChannel): () => Promise<ExitStatus> {
  let status: ExitStatus | null = null;
  channel.once('exit', (code: number | null, signal?: string) => {
    const name = signal?.replace(/^SIG/, '') ?? null;
    status = { exitCode: code ?? signalExitCode(name), signal: name };
  });
  const closed = new Promise<undefined>((resolve) => channel.once('close', () => resolve(undefined)));
  return async () => {
    await closed;
    if (status === null)
      throw new MachineError('ssh-failed', 'The connection to the machine broke while a command was running');
    return status;
  };
}
