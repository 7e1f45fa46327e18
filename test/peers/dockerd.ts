/** A real dockerd to compare with, of Debian's packages. */
import { execFileSync, spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fetchPackages } from './debian-packages.ts';

// runc comes from this computer's own Debian: sid's needs a newer C library.
const packages = ['docker.io', 'containerd', 'tini-static'];
const namespace = `bench-dockerd-${process.pid}`;

export interface Dockerd extends AsyncDisposable {
  readonly name: 'dockerd';
  readonly version: string;
  /** Path of its unix socket. */
  readonly socket: string;
  /** The network namespace that its published ports are in. */
  readonly netns: string;
  /** The daemon's own processes: dockerd, containerd, shims, proxies. */
  pids(): readonly number[];
}

/** Starts it in a network namespace of its own: its bridge, its firewall rules and its ports meet nobody else's. */
export async function startDockerd(cacheFolder: string): Promise<Dockerd> {
  const programs = fetchPackages({ cacheFolder, name: 'dockerd-sid', packages, proof: 'usr/sbin/dockerd' });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-dockerd-'));
  const socket = path.join(folder, 'docker.sock');
  execFileSync('ip', ['netns', 'add', namespace]);
  execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  const log: string[] = [];
  const child = spawn(
    'nsenter', // and not `ip netns exec`, which hides the host's cgroups behind a /sys of its own
    [
      `--net=/run/netns/${namespace}`,
      path.join(programs, 'usr/sbin/dockerd'),
      '-H',
      `unix://${socket}`,
      '--data-root',
      path.join(folder, 'data'),
      '--exec-root',
      path.join(folder, 'exec'),
      '--pidfile',
      path.join(folder, 'pid'),
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${programs}/usr/sbin:${programs}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin` },
    },
  );
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
    for (const mount of mountsBelow(folder)) execFileSync('umount', ['-l', mount]);
    execFileSync('ip', ['netns', 'del', namespace]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilServed(socket, () => child.exitCode !== null, log);
  } catch (error) {
    await stop();
    throw error;
  }
  const version = execFileSync(path.join(programs, 'usr/sbin/dockerd'), ['--version'], { encoding: 'utf8' }).replace(
    /^.*version ([^,]+),.*\n$/s,
    '$1',
  );
  return {
    name: 'dockerd',
    version,
    socket,
    netns: namespace,
    pids: () => [...new Set([...familyOf(child.pid ?? -1), ...shimsOf(folder)])],
    [Symbol.asyncDispose]: stop,
  };
}

function mountsBelow(folder: string): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mount) => mount.startsWith(folder))
    .toReversed();
}

/** One for each container; they belong to nobody's family, and name their containerd's socket on their command line. */
function shimsOf(folder: string): readonly number[] {
  return globSync('/proc/[0-9]*/cmdline').flatMap((file) => {
    try {
      const words = readFileSync(file, 'utf8');
      return words.includes('containerd-shim') && words.includes(folder) ? [Number(file.split('/')[2])] : [];
    } catch {
      return []; // ended between the listing and the look
    }
  });
}

/** A process with all that descend from it. */
function familyOf(pid: number): readonly number[] {
  const parents = globSync('/proc/[0-9]*/stat').flatMap((file) => {
    try {
      const fields = readFileSync(file, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
      return [[Number(file.split('/')[2]), Number(fields[1])] as const];
    } catch {
      return []; // ended between the listing and the look
    }
  });
  const family = new Set([pid]);
  for (let grew = true; grew;) {
    const more = parents.filter(([child, parent]) => family.has(parent) && !family.has(child));
    grew = more.length > 0;
    for (const [child] of more) family.add(child);
  }
  return [...family];
}

async function untilServed(socket: string, hasEnded: () => boolean, log: readonly string[]): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline && !hasEnded()) {
    if (await answersPing(socket)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`dockerd does not answer on ${socket}:\n${log.join('').slice(-4000)}`);
}

/** It listens before it can do anything: only an answer counts. */
function answersPing(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ socketPath, path: '/_ping', timeout: 5000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}
