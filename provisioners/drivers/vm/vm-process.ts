import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { open, readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { MachineError } from '../../machines.ts';
import { quietEnvironment } from '../../secrets/quiet-environment.ts';
import { readIfThere, writeFileAtomic } from '../../store/atomic-file.ts';
import type { ProcessIdentity } from '../../store/process-identity.ts';
import { isAlive, readProcess, waitForEnd } from '../../store/process-identity.ts';

/**
 * The process that is one machine (QEMU, vfkit). It outlives whoever starts it; who comes later finds it by its pid, the moment at
 * which it started and its command line, all three: after a crash the pid may be somebody else's by now.
 */
const processNote = z.object({ pid: z.int().positive(), startedAt: z.string() });

export interface VmProcessFiles {
  /** The program that runs the machine, for people: `QEMU`. */
  readonly title: string;
  /** Working folder of the process. */
  readonly folder: string;
  /** A number alone, there before the program does anything. */
  readonly pidFile: string;
  /** Which process that was. */
  readonly processFile: string;
  /** What the program itself complains of. */
  readonly logFile: string;
  /** A path of this machine alone that stands in the command line. */
  readonly mark: string;
  /** What it listens at, removed when it has ended. */
  readonly socket: string | null;
}

/** The machine's running process, or null. */
export async function findVmProcess(files: VmProcessFiles): Promise<ProcessIdentity | null> {
  const note = await readNote(files.processFile);
  if (note !== null && (await isAlive(note))) return note;
  // Whoever started it may have died before noting it; the pid file holds a number alone, so the command line decides.
  const pid = Number((await readIfThere(files.pidFile))?.trim() || Number.NaN);
  if (!Number.isSafeInteger(pid)) return null;
  const found = await readProcess(pid);
  if (found === null || !found.commandLine.includes(files.mark)) return null;
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

/** A process that this one has just started. */
export interface StartedVm {
  readonly identity: ProcessIdentity;
  /** Its input, for whoever asked for it to be `kept-open`: to be destroyed by them. */
  readonly input: Writable | null;
  /** Resolves when it ends, with what it said on its error output. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly complaint: string }>;
}

/** Starts it detached from this process, its output in `logFile`. */
export async function startVmProcess(options: {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly files: VmProcessFiles;
  /** Default: this process's own. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Default: none. */
  readonly input?: 'none' | 'kept-open';
}): Promise<StartedVm> {
  const { program, files, input = 'none' } = options;
  await rm(files.pidFile, { force: true });
  await using log = await open(files.logFile, 'w', 0o600);
  const child = spawn(program, [...options.arguments], {
    cwd: files.folder,
    env: { ...quietEnvironment(options.environment ?? process.env) },
    detached: true,
    stdio: [input === 'none' ? 'ignore' : 'pipe', log.fd, log.fd],
    windowsHide: true,
  });
  const exited = exitOf(child, files.title);
  const { pid } = child;
  if (pid === undefined) {
    await exited;
    throw new MachineError('driver-unavailable', `${program} could not be started`);
  }
  child.unref();
  const ended = exited.then(async (exitCode) => ({
    exitCode,
    complaint: (await readFile(files.logFile, 'utf8')).trim().slice(-2_000),
  }));
  const found = await readProcess(pid);
  const identity = { pid, startedAt: found?.startedAt ?? 'ended at once' };
  await writeFileAtomic(files.processFile, JSON.stringify(identity));
  return { identity, input: child.stdin, ended };
}

function exitOf(child: ChildProcess, title: string): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => resolve(code));
    child.once('error', (error) =>
      reject(
        new MachineError('driver-unavailable', `${title} could not be started: ${error.message}`, { cause: error }),
      ),
    );
  });
}

/** Ends the process by force and waits until it is gone. Only ever called with an identity that was just checked. */
export async function endVmProcess(identity: ProcessIdentity): Promise<void> {
  if (!(await isAlive(identity))) return;
  try {
    process.kill(identity.pid, 'SIGKILL');
  } catch (error) {
    if (await isAlive(identity)) throw error;
  }
  if (!(await waitForEnd(identity, { timeoutMs: 10_000 }))) {
    throw new MachineError('timeout', `The machine's process ${identity.pid} does not end although it was killed`);
  }
}

/** Forgets a process that has ended. */
export async function forgetVmProcess(files: VmProcessFiles): Promise<void> {
  await rm(files.pidFile, { force: true });
  await rm(files.processFile, { force: true });
  if (files.socket !== null) await rm(files.socket, { force: true });
}
