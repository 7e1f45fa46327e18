import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client as SshClient, ClientChannel, ConnectConfig } from 'ssh2';
import ssh2 from 'ssh2';
import { MachineError } from '../machines.ts';
import { publicKeyBlob } from './keys.ts';
import { connectFailure, hostKeyMismatch } from './ssh-error.ts';

/**
 * One SSH connection to one machine, with as many channels in it as are asked for: commands, unix sockets and TCP ports
 * of the machine. The host key is compared on every connect with the one that the machine was made with.
 */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH private key text. */
  readonly privateKey: string;
  /** Public key line of the only host key that is accepted. */
  readonly hostKey: string;
}

export interface ConnectOptions {
  readonly signal: AbortSignal;
  /** How long to go on trying in all. */
  readonly deadlineMs: number;
  /** How long one try may take from the TCP connect to the login. Under emulation a key exchange takes seconds at worst. */
  readonly attemptTimeoutMs?: number;
}

export interface ExecRequest {
  /** Null opens a login shell. */
  readonly command: string | null;
  readonly stdin: NodeJS.ReadableStream | null;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly terminal: { readonly columns: number; readonly rows: number; readonly type: string } | null;
  readonly signal: AbortSignal;
}

export interface ExitStatus {
  readonly exitCode: number;
  /** Name without `SIG` when a signal ended the command; the exit code is then 128 + its number or 255. */
  readonly signal: string | null;
}

export interface CommandResult extends ExitStatus {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * ChaCha20 first: an emulated guest takes it in at 17 MB/s and AES-GCM at 7, for emulated AES instructions are slow; on a real
 * processor the two differ little here (50 and 60 MB/s). Curve25519 is the cheapest key exchange on both sides.
 */
const algorithms: ConnectConfig['algorithms'] = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256'],
  serverHostKey: ['ssh-ed25519'],
  cipher: ['chacha20-poly1305@openssh.com', 'aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr'],
  compress: ['none'],
};

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
  const { signal, deadlineMs, attemptTimeoutMs = 15_000 } = options;
  const where = `${target.host}:${target.port}`;
  const deadline = performance.now() + deadlineMs;
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
    signal.throwIfAborted();
    const remainingMs = deadline - performance.now();
    try {
      return await connectOnce(target, { signal, timeoutMs: Math.max(1, Math.min(attemptTimeoutMs, remainingMs)) });
    } catch (cause) {
      signal.throwIfAborted();
      const failure = connectFailure(cause, where);
      if (failure.isFinal || performance.now() + pauseMs >= deadline) throw failure.error;
    }
    await delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function connectOnce(
  target: SshTarget,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<SshConnection> {
  const { signal, timeoutMs } = options;
  const expected = publicKeyBlob(target.hostKey);
  const client = new ssh2.Client();
  let refusal: MachineError | null = null;
  const { promise: ready, resolve, reject } = Promise.withResolvers<undefined>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  client.once('ready', () => resolve(undefined));
  client.on('error', (error) => reject(refusal ?? error));
  client.once('close', () => reject(refusal ?? new Error('the connection was closed before the login')));
  client.connect({
    host: target.host,
    port: target.port,
    username: target.user,
    privateKey: target.privateKey,
    readyTimeout: timeoutMs,
    keepaliveInterval: 15_000,
    keepaliveCountMax: 3,
    algorithms,
    hostVerifier: (offered: Buffer) => {
      if (offered.equals(expected)) return true;
      refusal = hostKeyMismatch({ where: `${target.host}:${target.port}`, expected, offered });
      return false;
    },
  });
  try {
    await ready;
    client.setNoDelay(true);
    return new SshConnection(client);
  } catch (error) {
    client.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

export class SshConnection implements AsyncDisposable {
  readonly #client: SshClient;
  readonly #closed: Promise<MachineError>;
  #isOpen = true;

  constructor(client: SshClient) {
    this.#client = client;
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
  async run(
    command: string,
    options: { readonly signal: AbortSignal; readonly timeoutMs?: number; readonly input?: string | Uint8Array },
  ): Promise<CommandResult> {
    const { timeoutMs = 30_000, input = '' } = options;
    const timeout = AbortSignal.timeout(timeoutMs);
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
      throw new MachineError(
        'timeout',
        `\`${firstLine(command)}\` did not end in the machine within ${timeoutMs / 1000} s`,
        {
          cause: error,
        },
      );
    }
  }

  /** As `run`, and throws with what the command said when it fails. */
  async check(
    command: string,
    options: { readonly signal: AbortSignal; readonly timeoutMs?: number; readonly input?: string | Uint8Array },
  ): Promise<string> {
    const result = await this.run(command, options);
    if (result.exitCode === 0) return result.stdout;
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-2_000);
    throw new MachineError(
      'ssh-failed',
      `\`${firstLine(command)}\` failed in the machine with exit code ${result.exitCode}${said === '' ? '' : `: ${said}`}`,
    );
  }

  /**
   * Streams `source` into a command of the machine, with back-pressure; resolves with the bytes sent when the command has
   * succeeded. A connection that breaks looks to the command like the end of its input, so commands check what they got.
   */
  async pipeInto(
    source: AsyncIterable<Uint8Array>,
    options: { readonly command: string; readonly signal: AbortSignal; readonly onSent?: (sentBytes: number) => void },
  ): Promise<number> {
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
      const said = (await complaint).trim().slice(-2_000);
      const isFull = said.includes('No space left');
      throw new MachineError(
        isFull ? 'no-space' : 'ssh-failed',
        `\`${firstLine(command)}\` failed in the machine: ${said || `exit code ${ending.value.exitCode}`}`,
      );
    }
    if (feeding.status === 'rejected') throw feeding.reason;
    return sentBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#client.end();
    const inTime = await Promise.race([this.#closed.then(() => true), delay(1_000, false, { ref: false })]);
    if (!inTime) this.#client.destroy();
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

/** Quotes one word for the machine's POSIX shell. */
export function shellQuote(text: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
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

/** As a shell tells it: 128 and the signal's number. */
function signalExitCode(name: string | null): number {
  const number = Object.entries(constants.signals).find(([key]) => key === `SIG${name}`)?.[1];
  return number === undefined ? 255 : 128 + number;
}

/** All that the stream says; rejects with the signal's reason, for a channel that is given up may never end. */
function collect(stream: Readable, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(Buffer.concat(chunks).toString('utf8'));
    };
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', settle);
    // A connection that breaks closes its streams without an end; whether a command succeeded, its exit status tells.
    stream.once('close', settle);
    stream.once('error', reject);
  });
}

function firstLine(command: string): string {
  return command.split('\n', 1)[0] ?? command;
}
