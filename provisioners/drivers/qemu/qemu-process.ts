import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { MachineError } from '../../machines.ts';
import { readIfThere, writeFileAtomic } from '../../store/atomic-file.ts';
import type { MachinePaths } from '../../store/home.ts';
import type { ProcessIdentity } from '../../store/process-identity.ts';
import { isAlive, readProcess, waitForEnd } from '../../store/process-identity.ts';

/**
 * The QEMU process of one machine. It outlives whoever starts it; who comes later finds it by its pid, the moment at which
 * it started and its command line, all three: after a crash the pid may be somebody else's by now.
 */
const processNote = z.object({ pid: z.int().positive(), startedAt: z.string() });

type ProcessPaths = Pick<MachinePaths, 'folder' | 'pidFile' | 'processFile'>;

/** The machine's running QEMU, or null. */
export async function findQemuProcess(paths: ProcessPaths): Promise<ProcessIdentity | null> {
  const note = await readNote(paths.processFile);
  if (note !== null && (await isAlive(note))) return note;
  // Whoever started it may have died before noting it; QEMU's own pid file holds a number alone, so the command line decides.
  const pid = Number((await readIfThere(paths.pidFile))?.trim() ?? Number.NaN);
  if (!Number.isSafeInteger(pid)) return null;
  const found = await readProcess(pid);
  if (found === null || !found.commandLine.includes(paths.pidFile)) return null;
  return { pid: found.pid, startedAt: found.startedAt };
}

async function readNote(path: string): Promise<ProcessIdentity | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  try {
    return processNote.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** A QEMU that this process has just started. */
export interface StartedQemu {
  readonly identity: ProcessIdentity;
  /** Resolves when it ends, with what it said on its error output. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly complaint: string }>;
}

/** Starts QEMU detached from this process, its output in `logFile`. */
export async function startQemu(options: {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly paths: ProcessPaths;
  readonly logFile: string;
}): Promise<StartedQemu> {
  const { program, paths, logFile } = options;
  await rm(paths.pidFile, { force: true });
  await using log = await open(logFile, 'w', 0o600);
  const child = spawn(program, [...options.arguments], {
    cwd: paths.folder,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    windowsHide: true,
  });
  const exited = exitOf(child);
  const { pid } = child;
  if (pid === undefined) {
    await exited;
    throw new MachineError('driver-unavailable', `${program} could not be started`);
  }
  child.unref();
  const ended = exited.then(async (exitCode) => ({
    exitCode,
    complaint: (await readFile(logFile, 'utf8')).trim().slice(-2_000),
  }));
  const found = await readProcess(pid);
  const identity = { pid, startedAt: found?.startedAt ?? 'ended at once' };
  await writeFileAtomic(paths.processFile, JSON.stringify(identity));
  return { identity, ended };
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => resolve(code));
    child.once('error', (error) =>
      reject(new MachineError('driver-unavailable', `QEMU could not be started: ${error.message}`, { cause: error })),
    );
  });
}

/** Ends the process by force and waits until it is gone. Only ever called with an identity that was just checked. */
export async function endQemu(identity: ProcessIdentity): Promise<void> {
  if (!(await isAlive(identity))) return;
  try {
    process.kill(identity.pid, 'SIGKILL');
  } catch (error) {
    if (await isAlive(identity)) throw error;
  }
  if (!(await waitForEnd(identity, { timeoutMs: 10_000 }))) {
    throw new MachineError('timeout', `QEMU (process ${identity.pid}) does not end although it was killed`);
  }
}

/** Forgets a process that has ended. */
export async function forgetQemu(paths: ProcessPaths & Pick<MachinePaths, 'qmpSocket'>): Promise<void> {
  await rm(paths.pidFile, { force: true });
  await rm(paths.processFile, { force: true });
  if (paths.qmpSocket !== null) await rm(paths.qmpSocket, { force: true });
}
