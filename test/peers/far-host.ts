import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SshKeyPair } from '../../provisioners/ssh/keys.ts';
import { generateSshKeyPair } from '../../provisioners/ssh/keys.ts';
import type { FarNetwork } from './far-network.ts';
import { openFarNetwork } from './far-network.ts';
import { sshdConfiguration, sshdListens, sshdProgram } from './sshd.ts';

/** A host in a network of its own: a real sshd there. Needs root. Its files are this computer's. */
export interface FarHost extends AsyncDisposable {
  readonly network: FarNetwork;
  readonly port: number;
  readonly identity: SshKeyPair;
  readonly hostKey: SshKeyPair;
  /** Ends the server with everything that it serves, at once. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

const port = 2222;

export async function startFarHost(): Promise<FarHost> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-far-'));
  const [identity, hostKey] = [generateSshKeyPair('client'), generateSshKeyPair('server')];
  const network = openFarNetwork();
  const { host } = network;
  await writeFile(join(folder, 'host_key'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'authorized_keys'), `${identity.publicKey}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'sshd_config'), sshdConfiguration({ folder, host, port }));
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  let child: ChildProcess | null = null;
  const kill = async (): Promise<void> => {
    if (child === null) return;
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    child = null;
  };
  const start = async (): Promise<void> => {
    // A process namespace ends whole with its first process: no session outlives the server.
    const within = [`--net=${network.namespace}`, 'unshare', '--pid', '--fork', '--kill-child'];
    child = spawn('nsenter', [...within, sshdProgram, '-D', '-f', join(folder, 'sshd_config')], { stdio: 'ignore' });
    await sshdListens({ host, port });
  };
  const close = async (): Promise<void> => {
    await kill();
    network[Symbol.dispose]();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return { network, port, identity, hostKey, kill, start, [Symbol.asyncDispose]: close };
}
