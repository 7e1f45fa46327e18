import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { SshAccess } from '../drivers/driver.ts';

/**
 * The fast way for bulk streams: the system's own ssh forwards a socket of this computer to the engine's. OpenSSH encrypts in C what
 * our own connection does in JavaScript, ten times slower (docs/performance.md); everything else goes on over that one, and so does all
 * where there is no ssh. The program ends with this process, however that ends: its input is a pipe of ours, and what it runs in the
 * machine waits for the end of it.
 */
export interface BulkTunnel extends AsyncDisposable {
  readonly isOpen: boolean;
  dial(signal?: AbortSignal): Promise<Duplex>;
}

export interface BulkTunnelOptions {
  readonly access: SshAccess;
  readonly identityFile: string;
  readonly knownHostsFile: string;
  /** Where it listens on this computer, in a folder that is the user's alone. */
  readonly localSocket: string;
  readonly engineSocket: string;
  readonly signal: AbortSignal;
  readonly program?: string;
  readonly timeoutMs?: number;
}

/** Null where it cannot be had: no ssh, hosts on the way (which know another key each), or a server that does not forward. */
export async function openBulkTunnel(options: BulkTunnelOptions): Promise<BulkTunnel | null> {
  const { access, localSocket, signal, program = 'ssh', timeoutMs = 20_000 } = options;
  if (process.platform === 'win32' || access.jumps.length > 0) return null;
  await rm(localSocket, { force: true });
  const child = spawn(program, tunnelArguments(options), { stdio: ['pipe', 'ignore', 'ignore'], signal });
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  // A program that is gone takes its input no more.
  child.stdin?.on('error', () => undefined);
  let isOpen = true;
  void ended.then(() => (isOpen = false));
  const deadline = performance.now() + timeoutMs;
  while (isOpen && performance.now() < deadline && !signal.aborted) {
    const probe = await dialLocal(localSocket).catch(() => null);
    if (probe !== null) {
      probe.destroy();
      return tunnelOf({ child, ended, localSocket, isOpen: () => isOpen });
    }
    await Promise.race([ended, delay(50)]);
  }
  await end(child, { ended, localSocket });
  return null;
}

function tunnelOf(of: {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly localSocket: string;
  readonly isOpen: () => boolean;
}): BulkTunnel {
  return {
    get isOpen() {
      return of.isOpen();
    },
    dial: (signal) => dialLocal(of.localSocket, signal),
    [Symbol.asyncDispose]: () => end(of.child, of),
  };
}

export function tunnelArguments(
  options: Pick<BulkTunnelOptions, 'access' | 'identityFile' | 'knownHostsFile' | 'localSocket' | 'engineSocket'>,
): string[] {
  const { access, identityFile, knownHostsFile, localSocket, engineSocket } = options;
  const settings = {
    BatchMode: 'yes',
    // AES-GCM first: processors do it themselves. An emulated one is slow at either.
    Ciphers: 'aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr',
    Compression: 'no',
    ConnectTimeout: '10',
    ControlMaster: 'no',
    ControlPath: 'none',
    ExitOnForwardFailure: 'yes',
    IdentitiesOnly: 'yes',
    ServerAliveInterval: '15',
    StreamLocalBindUnlink: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: `"${knownHostsFile}"`,
  };
  return [
    // The user's own configuration is for the user's own hosts.
    ...['-F', 'none', '-T', '-q'],
    ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ...['-i', identityFile, '-p', String(access.port)],
    ...['-L', `${localSocket}:${engineSocket}`],
    `${access.user}@${access.host}`,
    'cat >/dev/null',
  ];
}

async function end(
  child: ChildProcess,
  of: { readonly ended: Promise<void>; readonly localSocket: string },
): Promise<void> {
  child.stdin?.destroy();
  child.kill('SIGTERM');
  await of.ended;
  await rm(of.localSocket, { force: true });
}

function dialLocal(path: string, signal?: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const onAbort = (): void => void socket.destroy(new Error('the connection was given up'));
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', reject);
    socket.once('close', () => signal?.removeEventListener('abort', onAbort));
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
