import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freeLocalPort } from '../../provisioners/drivers/vm/local-port.ts';
import type { SshKeyPair } from '../../provisioners/ssh/keys.ts';
import { generateSshKeyPair } from '../../provisioners/ssh/keys.ts';

/**
 * A real OpenSSH server for this user on loopback, with keys and configuration of its own, behind a small relay that can cut
 * its connections or refuse new ones. What it runs, it runs on this computer.
 */
export interface TestSshd extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly identity: SshKeyPair;
  readonly hostKey: SshKeyPair;
  /** Temporary folder, removed at the end; the home of who logs in. */
  readonly folder: string;
  /** Breaks every connection that is open. */
  cut(): void;
  /** Refuses new connections until `accept`. */
  refuse(): void;
  accept(): void;
}

export const sshdProgram = '/usr/sbin/sshd';

export async function startSshd(): Promise<TestSshd> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-sshd-'));
  const [identity, hostKey] = [generateSshKeyPair('client'), generateSshKeyPair('server')];
  const innerPort = await freeLocalPort(null);
  const inFolder = (name: string): string => join(folder, name);
  await writeFile(inFolder('host_key'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(inFolder('authorized_keys'), `${identity.publicKey}\n`, { mode: 0o600 });
  await writeFile(inFolder('sshd_config'), sshdConfiguration({ folder, host: '127.0.0.1', port: innerPort }));
  // Debian's sshd will not start as root without this folder; its package makes it at boot.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  // -r: it serves a connection without starting itself anew, which is a third of what a connection costs.
  const child = spawn(sshdProgram, ['-D', '-r', '-e', '-f', inFolder('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await Promise.race([
    sshdListens({ host: '127.0.0.1', port: innerPort }),
    exited.then(() => {
      throw new Error(`sshd ended: ${said}`);
    }),
  ]);
  const relay = await startRelay(innerPort);
  return {
    port: relay.port,
    user: userInfo().username,
    identity,
    hostKey,
    folder,
    cut: relay.cut,
    refuse: relay.refuse,
    accept: relay.accept,
    async [Symbol.asyncDispose]() {
      await relay.close();
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** `folder` holds `host_key` and `authorized_keys`, and is the home of who logs in. */
export function sshdConfiguration(of: {
  readonly folder: string;
  readonly host: string;
  readonly port: number;
}): string {
  const { folder, host, port } = of;
  return [
    `Port ${port}`,
    `ListenAddress ${host}`,
    `HostKey ${folder}/host_key`,
    `AuthorizedKeysFile ${folder}/authorized_keys ${folder}/.ssh/authorized_keys`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'AllowStreamLocalForwarding yes',
    'AllowTcpForwarding yes',
    // The user's shell must not run what the user's own .bashrc says.
    `SetEnv HOME=${folder}`,
    'MaxSessions 1000',
    'MaxStartups 1000',
    '',
  ].join('\n');
}

async function startRelay(innerPort: number): Promise<{
  readonly port: number;
  readonly cut: () => void;
  readonly refuse: () => void;
  readonly accept: () => void;
  readonly close: () => Promise<void>;
}> {
  const sockets = new Set<Socket>();
  let isRefusing = false;
  const server = createServer({ noDelay: true }, (client) => {
    if (isRefusing) {
      client.destroy();
      return;
    }
    const inner = connect({ port: innerPort, host: '127.0.0.1', noDelay: true });
    for (const [one, other] of [
      [client, inner],
      [inner, client],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<undefined>((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut,
    refuse: () => (isRefusing = true),
    accept: () => (isRefusing = false),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

/** Resolves when an SSH server greets there; rejects after a minute. */
export async function sshdListens({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host }).setTimeout(10_000, () => socket.destroy());
      socket.once('data', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => undefined).once('close', () => resolve(false));
    });
    if (isOpen) return;
    if (performance.now() > deadline) throw new Error(`sshd does not listen on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
