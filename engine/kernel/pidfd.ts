import { closeSync, readFileSync } from 'node:fs';
import { systemCall } from './libc.ts';
import { watchFd, type Watch } from './poll.ts';

const pidfdOpen = systemCall<[number, number]>('int pidfd_open(int pid, uint flags)');
const pidfdSendSignal = systemCall<[number, number, null, number]>(
  'int pidfd_send_signal(int fd, int signal, void *info, uint flags)',
);

/** The number is the same on x86-64 and arm64; C libraries have had the call for a short time only. */
const pidfdGetfdNumber = 438;
const pidfdGetfd = systemCall<[number, number, number, number]>(
  'long syscall(long number, int pidfd, int targetfd, uint flags)',
);

/** A copy of what another process has open, by its number there. The caller owns it. For whom may trace that process (root). */
export function takeDescriptor(pid: number, fd: number): number {
  const process = pidfdOpen(`of ${pid}`, pid, 0);
  try {
    return pidfdGetfd(`${fd} of ${pid}`, pidfdGetfdNumber, process, fd, 0);
  } finally {
    closeSync(process);
  }
}

/** A process by descriptor: it means this very process for ever, while a pid may be given to another one. */
export class ProcessHandle implements Disposable {
  readonly pid: number;
  readonly #fd: number;
  #watch: Watch | null = null;
  #state: 'open' | 'closed' = 'open';

  private constructor(pid: number, fd: number) {
    this.pid = pid;
    this.#fd = fd;
  }

  /** Null when there is no such process. Zombies count as processes. */
  static open(pid: number): ProcessHandle | null {
    try {
      return new ProcessHandle(pid, pidfdOpen(`of ${pid}`, pid, 0));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null;
      throw error;
    }
  }

  /** False when it has ended. A handle that is closed says the same: its descriptor may be another process's by now. */
  signal(signal: number): boolean {
    if (this.#state === 'closed') return false;
    try {
      pidfdSendSignal(`${signal} to ${this.pid}`, this.#fd, signal, null, 0);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }

  /** Calls once when the process has ended, whosever child it is. */
  onEnd(callback: () => void): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = watchFd(this.#fd, 'readable', () => {
      this.#watch?.[Symbol.dispose]();
      this.#watch = null;
      callback();
    });
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#watch?.[Symbol.dispose]();
    closeSync(this.#fd);
  }
}

/**
 * Start time in clock ticks since boot: with the pid, the identity of a process. Null when there is none.
 * Source: proc_pid_stat(5), field 22.
 */
export function processStartTicks(pid: number): number | null {
  const fields = readStat(pid);
  return fields === null ? null : Number(fields[19]);
}

/** False also for a zombie: it does nothing any more, it only has not been waited for. */
export function isProcessAlive(pid: number, startTicks: number): boolean {
  const fields = readStat(pid);
  return fields !== null && fields[0] !== 'Z' && fields[0] !== 'X' && Number(fields[19]) === startTicks;
}

/** Fields of /proc/<pid>/stat from the third, the state, on; the name before it may hold spaces and parentheses. */
function readStat(pid: number): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
