import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isErrno } from './atomic-file.ts';

/**
 * A pid alone names nothing: the process may have ended and its number been given to another, after a reboot for
 * certain. A pid together with the moment at which that process started does.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; compared for equality only. */
  readonly startedAt: string;
}

export interface RunningProcess extends ProcessIdentity {
  /** Arguments joined by spaces. */
  readonly commandLine: string;
}

/** What runs under this pid now, or null. A zombie counts as ended. */
export async function readProcess(pid: number): Promise<RunningProcess | null> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  switch (process.platform) {
    case 'linux':
      return readLinuxProcess(pid);
    case 'win32':
      return readWindowsProcess(pid);
    default:
      return readPosixProcess(pid);
  }
}

/** All that runs now. On Windows it takes about a second. */
export async function listProcesses(): Promise<readonly RunningProcess[]> {
  switch (process.platform) {
    case 'linux': {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
      return (await Promise.all(pids.map(readLinuxProcess))).filter((found) => found !== null);
    }
    case 'win32':
      return await listWindowsProcesses();
    default: {
      const lines = (await ps(['-ax'])).split('\n');
      return lines.map(parsePosixProcess).filter((found) => found !== null);
    }
  }
}

/** Whether that very process still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const found = await readProcess(identity.pid);
  return found !== null && found.startedAt === identity.startedAt;
}

export async function ownIdentity(): Promise<ProcessIdentity> {
  const own = await readProcess(process.pid);
  if (own === null) throw new Error('This process does not find itself in the process table');
  return { pid: own.pid, startedAt: own.startedAt };
}

/** Waits until the process has ended. True when it did within `timeoutMs`. */
export async function waitForEnd(
  identity: ProcessIdentity,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + options.timeoutMs;
  while (await isAlive(identity)) {
    options.signal?.throwIfAborted();
    if (performance.now() >= deadline) return false;
    // Nobody but its parent is told of the end of a process; 20 ms is below what a person notices.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

async function readLinuxProcess(pid: number): Promise<RunningProcess | null> {
  try {
    const [stat, commandLine, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // proc_pid_stat(5): field 2 is the name in parentheses and may hold anything, so fields are counted after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, threadCount, startTicks] = [fields[0], Number(fields[17]), fields[19]];
    if (startTicks === undefined || state === 'X') return null;
    // The first thread of a killed process is a zombie before the others have let go of files and locks.
    if (state === 'Z' && threadCount <= 1) return null;
    return { pid, startedAt: `${boot.trim()}:${startTicks}`, commandLine: commandLine.replaceAll('\0', ' ').trim() };
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return null;
    throw error;
  }
}

const runProgram = promisify(execFile);
/** Of the listing of all processes, with arguments of any length. */
const listingBytes = 64 * 1024 ** 2;

async function readPosixProcess(pid: number): Promise<RunningProcess | null> {
  try {
    return parsePosixProcess((await ps(['-p', String(pid)])).trim());
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) return null;
    throw error;
  }
}

async function ps(which: readonly string[]): Promise<string> {
  const { stdout } = await runProgram('ps', ['-ww', ...which, '-o', 'pid=,stat=,lstart=,command='], {
    env: { ...process.env, LC_ALL: 'C' },
    timeout: 5_000,
    maxBuffer: listingBytes,
  });
  return stdout;
}

/** A line of ps; null for what has ended. `4711 S+   Sat Nov 21 09:34:35 2026 /usr/bin/program …`: lstart is five words in the C locale. */
export function parsePosixProcess(line: string): RunningProcess | null {
  const match = /^\s*(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/s.exec(line);
  const [, pid, state, startedAt, commandLine] = match ?? [];
  if (pid === undefined || state === undefined || startedAt === undefined || commandLine === undefined) return null;
  return state.startsWith('Z') ? null : { pid: Number(pid), startedAt, commandLine };
}

async function readWindowsProcess(pid: number): Promise<RunningProcess | null> {
  const script = `$p = Get-CimInstance Win32_Process -Filter "ProcessId=${pid}"; if ($p) { $p.CreationDate.ToFileTimeUtc(); $p.CommandLine }`;
  const { stdout } = await runProgram('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script], {
    timeout: 20_000,
    windowsHide: true,
  });
  const [startedAt, ...rest] = stdout.trim().split(/\r?\n/);
  if (startedAt === undefined || startedAt === '') return null;
  return { pid, startedAt, commandLine: rest.join(' ') };
}

/** One line each; whose command line is kept from this user has none. */
async function listWindowsProcesses(): Promise<readonly RunningProcess[]> {
  const script =
    'Get-CimInstance Win32_Process | Where-Object { $_.CommandLine } | ForEach-Object { "$($_.ProcessId) $($_.CreationDate.ToFileTimeUtc()) $($_.CommandLine)" }';
  const { stdout } = await runProgram('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script], {
    timeout: 20_000,
    windowsHide: true,
    maxBuffer: listingBytes,
  });
  return stdout.split(/\r?\n/).flatMap((line): RunningProcess[] => {
    const [, pid, startedAt, commandLine] = /^(\d+) (\d+) (.*)$/.exec(line) ?? [];
    if (pid === undefined || startedAt === undefined || commandLine === undefined) return [];
    return [{ pid: Number(pid), startedAt, commandLine }];
  });
}
