import { execFile } from 'node:child_process';
import { readFile, readdir, readlink } from 'node:fs/promises';
import { isErrno } from '../store/atomic-file.ts';

/**
 * Who has a port of this computer, for a person who wants it for a container. Each system tells it in its own way: Linux in /proc, macOS
 * by lsof, Windows by netstat. Of other users' programs it may tell the user alone.
 */
export interface PortOwner {
  /** Null where the system keeps it from this user. */
  readonly pid: number | null;
  readonly program: string | null;
  /** Of whom the program is; null where it is not told. */
  readonly uid: number | null;
}

export interface PortOfComputer {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

const programTimeoutMs = 5_000;

/** Null when nobody has it (any more) or this system does not say. Never rejects: it only makes an error clearer. */
export async function findPortOwner(of: PortOfComputer): Promise<PortOwner | null> {
  try {
    switch (process.platform) {
      case 'linux':
        return await ownerInProc(of);
      case 'darwin':
        return ownerInLsof(await output('lsof', lsofArguments(of)));
      case 'win32': {
        const pid = pidInNetstat(await output('netstat', ['-ano', '-p', of.protocol]), of);
        if (pid === null) return null;
        const listed = await output('tasklist', ['/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH']);
        return { pid, program: /^"([^"]+)"/.exec(listed.trim())?.[1] ?? null, uid: null };
      }
      default:
        return null;
    }
  } catch {
    return null;
  }
}

/** As a person reads it: `nginx (process 812)`. */
export function describeOwner(owner: PortOwner | null): string {
  if (owner === null) return 'another program';
  if (owner.pid !== null) return `${owner.program ?? 'a program'} (process ${owner.pid})`;
  if (owner.uid === null) return 'another program';
  return owner.uid === 0 ? 'a program of the administrator (root)' : `a program of another user (uid ${owner.uid})`;
}

async function ownerInProc({ protocol, port }: PortOfComputer): Promise<PortOwner | null> {
  const tables = await Promise.all(['', '6'].map((family) => readTable(`/proc/net/${protocol}${family}`)));
  const holder = tables.flatMap((table) => socketsAt(table, { protocol, port }))[0];
  if (holder === undefined) return null;
  const pid = await processWithSocket(holder.inode);
  if (pid === null) return { pid, program: null, uid: holder.uid };
  const program = await readFile(`/proc/${pid}/comm`, 'utf8').then((text) => text.trim());
  return { pid, program, uid: holder.uid };
}

/** A kernel without IPv6 has no table for it. */
async function readTable(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

/** Of a table in /proc/net: the sockets that wait at a port (for TCP those that listen, state 0A; for UDP those without a peer, 07). */
export function socketsAt(
  table: string,
  { protocol, port }: PortOfComputer,
): readonly { readonly uid: number; readonly inode: number }[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const waiting = protocol === 'tcp' ? '0A' : '07';
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(local) === true && fields[3] === waiting)
    .map((fields) => ({ uid: Number(fields[7]), inode: Number(fields[9]) }));
}

async function processWithSocket(inode: number): Promise<number | null> {
  const wanted = `socket:[${inode}]`;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // Processes of others may not be looked into, and some end meanwhile.
    const files = await readdir(`/proc/${name}/fd`).catch(() => []);
    for (const file of files) {
      const target = await readlink(`/proc/${name}/fd/${file}`).catch(() => null);
      if (target === wanted) return Number(name);
    }
  }
  return null;
}

function lsofArguments({ protocol, port }: PortOfComputer): string[] {
  const listening = protocol === 'tcp' ? ['-sTCP:LISTEN'] : [];
  return ['-nP', `-i${protocol.toUpperCase()}:${port}`, ...listening, '-FpcuL'];
}

/** Reads `lsof -F`: one field a line, its letter first; p begins a process. */
export function ownerInLsof(text: string): PortOwner | null {
  const field = (letter: string): string | undefined => new RegExp(`^${letter}(.*)$`, 'm').exec(text)?.[1];
  const pid = Number(field('p'));
  if (!Number.isInteger(pid) || pid <= 0) return null;
  const uid = field('u');
  return { pid, program: field('c') ?? null, uid: uid === undefined ? null : Number(uid) };
}

/** Reads `netstat -ano`, whose words are of the user's language: of TCP those whose peer is `0.0.0.0:0` or `[::]:0` listen. */
export function pidInNetstat(text: string, { protocol, port }: PortOfComputer): number | null {
  for (const line of text.split(/\r?\n/)) {
    const [name, local, peer, ...rest] = line.trim().split(/\s+/);
    if (name?.toLowerCase() !== protocol || local?.endsWith(`:${port}`) !== true) continue;
    if (protocol === 'tcp' && peer !== '0.0.0.0:0' && peer !== '[::]:0') continue;
    const pid = Number(rest.at(-1));
    if (Number.isInteger(pid) && pid > 0) return pid;
  }
  return null;
}

function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: programTimeoutMs, windowsHide: true }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
  });
}
