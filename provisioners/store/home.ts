import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { MachineName } from './machine-name.ts';

/**
 * Where Skiff keeps what it knows about machines on this computer. Everything of one machine lies in one folder, with
 * names that do not depend on where the home is, so that a home can be moved. Two things lie outside: the lock files
 * (a folder cannot be locked while it is removed) and, when the home is so deep that a socket's path would not fit
 * into the kernel's `sockaddr_un`, the sockets.
 */
export interface HomePaths {
  readonly root: string;
  readonly machines: string;
  readonly locks: string;
  /** Id of this home, with which what lies elsewhere is tagged. */
  readonly installation: string;
  /** What was found out about QEMU on this computer. */
  readonly qemuMemory: string;
}

/** Every file of one machine. Those of a driver are here too, so that nobody else takes their names. */
export interface MachinePaths {
  readonly folder: string;
  readonly document: string;
  /** Ed25519 key with which this computer logs in, and the host key that the machine proves itself with. */
  readonly identity: string;
  readonly hostKey: string;
  readonly knownHosts: string;
  readonly serialLog: string;
  readonly previousSerialLog: string;
  readonly dataDisk: string;
  readonly seed: string;
  /** Where the machine's secrets are kept, where its user asked for that. */
  readonly secrets: string;
  /** Memory of a suspended machine. */
  readonly memoryState: string;
  readonly pidFile: string;
  readonly processFile: string;
  /** What QEMU itself complained of. */
  readonly qemuLog: string;
  readonly agentState: string;
  readonly agentLog: string;
  readonly agentLock: string;
  /** Folder of the sockets: the machine's own, or a short one when that is too deep. */
  readonly sockets: string;
  /** Null on Windows, where Node cannot speak to a unix socket. */
  readonly qmpSocket: string | null;
  /** Of the fast way to the engine; the host agent's alone. */
  readonly bulkSocket: string;
  /** Unix socket, or `\\.\pipe\…` on Windows. */
  readonly dockerSocket: string;
}

export interface HomeOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly platform?: NodeJS.Platform;
}

/** `$SKIFF_HOME`, else `~/.skiff`; always absolute. */
export function skiffHome(options: HomeOptions = {}): string {
  const { environment = process.env } = options;
  const wanted = environment['SKIFF_HOME'];
  return wanted === undefined || wanted === '' ? join(homedir(), '.skiff') : resolve(wanted);
}

export function homePaths(home: string): HomePaths {
  return {
    root: home,
    machines: join(home, 'machines'),
    locks: join(home, 'locks'),
    installation: join(home, 'installation'),
    qemuMemory: join(home, 'qemu.json'),
  };
}

/** The shortest limit among the systems: macOS has 104 bytes with the closing zero, Linux 108. */
const socketPathLimitBytes = 103;

export function machinePaths(home: string, name: MachineName, options: HomeOptions = {}): MachinePaths {
  const { platform = process.platform } = options;
  const folder = join(home, 'machines', name);
  const inFolder = (file: string): string => join(folder, file);
  const longest = Buffer.byteLength(inFolder('docker.sock'));
  const sockets = longest <= socketPathLimitBytes ? folder : shortFolder(folder);
  return {
    folder,
    document: inFolder('machine.json'),
    identity: inFolder('id_ed25519'),
    hostKey: inFolder('host_ed25519'),
    knownHosts: inFolder('known_hosts'),
    serialLog: inFolder('serial.log'),
    previousSerialLog: inFolder('serial.previous.log'),
    dataDisk: inFolder('data.disk'),
    seed: inFolder('seed.disk'),
    secrets: inFolder('secrets.json'),
    memoryState: inFolder('memory.state'),
    pidFile: inFolder('qemu.pid'),
    processFile: inFolder('qemu.process.json'),
    qemuLog: inFolder('qemu.log'),
    agentState: inFolder('agent.json'),
    agentLog: inFolder('agent.log'),
    agentLock: inFolder('agent.lock'),
    sockets,
    qmpSocket: platform === 'win32' ? null : join(sockets, 'qmp.sock'),
    bulkSocket: join(sockets, 'bulk.sock'),
    dockerSocket:
      platform === 'win32' ? `\\\\.\\pipe\\skiff-${name}-${shortHash(folder)}` : join(sockets, 'docker.sock'),
  };
}

/** What `DOCKER_HOST` and a docker context say for a path of `dockerSocket`. */
export function dockerHost(dockerSocket: string): string {
  return dockerSocket.startsWith('\\\\.\\pipe\\')
    ? `npipe://${dockerSocket.replaceAll('\\', '/')}`
    : `unix://${dockerSocket}`;
}

/**
 * Not `$XDG_RUNTIME_DIR` or `$TMPDIR`: they differ between a login shell, a desktop session and cron, and every process
 * must come to the same path. The folder is checked to be ours before it is used.
 */
function shortFolder(folder: string): string {
  return `/tmp/skiff-${process.getuid?.() ?? 0}-${shortHash(folder)}`;
}

function shortHash(text: string): string {
  // Loaded here: it takes a tenth of the time of a `skiff ps`, which mostly needs none of it.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
