import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SshKeyPair } from '../../provisioners/ssh/keys.ts';
import { generateSshKeyPair } from '../../provisioners/ssh/keys.ts';
import { sshdConfiguration, sshdListens, sshdProgram } from './sshd.ts';

/**
 * A host behind a network of its own: a real sshd in a network namespace, reached over a pair of virtual interfaces that can be cut as
 * a cable is, so that nobody is told. Needs root. Its files are this computer's.
 */
export interface FarHost extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: 'root';
  readonly identity: SshKeyPair;
  readonly hostKey: SshKeyPair;
  /** Temporary folder, removed at the end; the home of who logs in. */
  readonly folder: string;
  cutLink(): void;
  mendLink(): void;
  /** This computer is at another address from now on, as in another network: its connections are dead and do not know. */
  moveComputer(): void;
  /** Ends the server with everything that it serves, at once. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Of 198.18.0.0/15, which is for such tests; one network a process. */
const third = process.pid % 250;
const far = `198.18.${third}.1`;
const nearAddresses = [`198.18.${third}.2`, `198.18.${third}.3`] as const;
const port = 2222;

export async function startFarHost(): Promise<FarHost> {
  const namespace = `skiff-far-${process.pid}`;
  const near = `skfar${process.pid % 100_000}`;
  const folder = await mkdtemp(join(tmpdir(), 'skiff-far-'));
  const [identity, hostKey] = [generateSshKeyPair('client'), generateSshKeyPair('server')];
  await writeFile(join(folder, 'host_key'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'authorized_keys'), `${identity.publicKey}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'sshd_config'), sshdConfiguration({ folder, host: far, port }));
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const ip = (...words: readonly string[]): unknown =>
    execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let child: ChildProcess | null = null;
  let isLinked = false;
  const kill = async (): Promise<void> => {
    if (child === null) return;
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    child = null;
  };
  const start = async (): Promise<void> => {
    // A process namespace ends whole with its first process: no session outlives the server.
    const within = [`--net=/run/netns/${namespace}`, 'unshare', '--pid', '--fork', '--kill-child'];
    const server = [sshdProgram, '-D', '-f', join(folder, 'sshd_config')];
    child = spawn('nsenter', [...within, ...server], { stdio: 'ignore' });
    await sshdListens({ host: far, port });
  };
  const close = async (): Promise<void> => {
    await kill();
    // Gone with its namespace it would be some time later.
    if (isLinked) ip('link', 'del', near);
    ip('netns', 'del', namespace);
    await rm(folder, { recursive: true, force: true });
  };
  ip('netns', 'add', namespace);
  try {
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    isLinked = true;
    ip('addr', 'add', `${nearAddresses[0]}/24`, 'dev', near);
    ip('-n', namespace, 'addr', 'add', `${far}/24`, 'dev', 'eth0');
    ip('link', 'set', near, 'up');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ...{ host: far, port, user: 'root', identity, hostKey, folder },
    cutLink: () => ip('-n', namespace, 'link', 'set', 'eth0', 'down'),
    mendLink: () => ip('-n', namespace, 'link', 'set', 'eth0', 'up'),
    moveComputer: () => {
      // In this order: the first address of a network takes the others of it along.
      ip('addr', 'del', `${nearAddresses[0]}/24`, 'dev', near);
      ip('addr', 'add', `${nearAddresses[1]}/24`, 'dev', near);
    },
    kill,
    start,
    [Symbol.asyncDispose]: close,
  };
}
