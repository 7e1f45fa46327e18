/**
 * A real dockerd to compare with: Debian sid's packages, fetched by apt itself (so its signatures are checked) from the
 * mirror that this computer already uses, and unpacked beside the system instead of into it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { Contender } from './contender.ts';

// runc comes from this computer's own Debian: sid's needs a newer C library.
const packages = ['docker.io', 'containerd', 'tini-static'];
const namespace = `bench-dockerd-${process.pid}`;

/** Starts it in a network namespace of its own: its bridge, its firewall rules and its ports meet nobody else's. */
export async function startDockerd(cacheFolder: string): Promise<Contender> {
  const programs = fetchDockerd(cacheFolder);
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
  return { name: 'dockerd', version, socket, pids: () => familyOf(child.pid ?? -1), [Symbol.asyncDispose]: stop };
}

/** Root folder of the unpacked packages. Fetched once; `SKIFF_PEERS` forgets nothing between runs but the folder itself. */
function fetchDockerd(cacheFolder: string): string {
  const wanted = path.join(cacheFolder, 'peers/dockerd-sid');
  if (existsSync(path.join(wanted, 'usr/sbin/dockerd'))) return wanted;
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'bench-apt-'));
  try {
    for (const name of ['state/lists/partial', 'cache/archives/partial', 'etc', 'root'])
      mkdirSync(path.join(scratch, name), { recursive: true });
    const sources = path.join(scratch, 'etc/sources.list');
    writeFileSync(
      sources,
      `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${debianMirror()} sid main\n`,
    );
    const options = [
      `Dir::Etc::sourcelist=${sources}`,
      'Dir::Etc::sourceparts=/dev/null',
      `Dir::State=${scratch}/state`,
      `Dir::Cache=${scratch}/cache`,
      'Acquire::Languages=none',
      'APT::Sandbox::User=root',
      'Acquire::Check-Valid-Until=false',
    ];
    const apt = (...words: string[]): void => {
      execFileSync('apt-get', ['-q', ...options.flatMap((option) => ['-o', option]), ...words], {
        cwd: scratch,
        stdio: ['ignore', 'ignore', 'inherit'],
        timeout: 300_000,
      });
    };
    apt('update');
    apt('download', ...packages);
    for (const file of globSync('*.deb', { cwd: scratch }))
      execFileSync('dpkg', ['-x', path.join(scratch, file), path.join(scratch, 'root')]);
    mkdirSync(path.dirname(wanted), { recursive: true });
    rmSync(wanted, { recursive: true, force: true });
    execFileSync('cp', ['-a', path.join(scratch, 'root'), `${wanted}.new`]);
    renameSync(`${wanted}.new`, wanted);
    return wanted;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The archive that apt on this computer uses for Debian itself. */
function debianMirror(): string {
  const lines = execFileSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(SUITE) $(ORIGIN)'], {
    encoding: 'utf8',
  }).split('\n');
  const uri = lines.map((line) => line.split(' ')).find(([, , origin]) => origin === 'Debian')?.[0];
  if (uri === undefined) throw new Error("apt knows no Debian archive here: run 'apt-get update', then try again");
  return uri;
}

function mountsBelow(folder: string): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mount) => mount.startsWith(folder))
    .toReversed();
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
