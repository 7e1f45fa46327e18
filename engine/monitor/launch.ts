/** Has crun start a process with streams of ours, and takes hold of what it has started. */
import { readFileSync } from 'node:fs';
import type { Children, ExitStatus } from '../kernel/children.ts';
import { ProcessHandle, processStartTicks } from '../kernel/pidfd.ts';
import { startErrorFrom } from './runtime-errors.ts';
import { StartError } from './start-error.ts';
import type { ContainerStdio } from './stdio.ts';

const terminalTimeoutMs = 5000;

export interface Launched {
  readonly pid: number;
  /** Identity with the pid; 0 when it has ended already. */
  readonly startTicks: number;
  /** Null when it has ended already. */
  readonly handle: ProcessHandle | null;
  readonly end: Promise<ExitStatus>;
}

/**
 * `run`: has crun start it, with these as 0, 1 and 2, and write its pid to `pidPath`. `program`: for the text of an error.
 * Throws StartError; what crun may have left then is the caller's to remove.
 */
export async function launch(call: {
  readonly children: Children;
  readonly stdio: ContainerStdio;
  readonly pidPath: string;
  readonly timeoutMs: number;
  readonly verb: 'run' | 'exec';
  readonly program: () => string;
  run(fds: readonly [number, number, number]): Promise<ExitStatus | 'timeout'>;
}): Promise<Launched> {
  const { children, stdio } = call;
  // It may end before we know its pid: until then its body must stay where it is.
  using _hold = children.holdStrangers();
  const status = await call.run(stdio.childFds);
  stdio.closeChildEnds();
  if (status === 'timeout')
    throw new StartError(128, `the runtime did not start the process within ${call.timeoutMs} ms`);
  if (status.signal !== null)
    throw new StartError(128, `the runtime was killed by signal ${status.signal}: ${stdio.readErrors()}`);
  if (status.code !== 0) throw startErrorFrom(stdio.readErrors(), call.program(), call.verb);
  const pid = Number(readFileSync(call.pidPath, 'latin1'));
  const handle = ProcessHandle.open(pid);
  return { pid, handle, startTicks: processStartTicks(pid) ?? 0, end: children.awaitEnd(pid) };
}

/** crun hands a terminal over before it says that it is done; the event loop may see that after it. */
export async function awaitTerminal(stdio: ContainerStdio): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new StartError(128, `the runtime handed over no terminal within ${terminalTimeoutMs} ms`);
    timer = setTimeout(() => reject(error), terminalTimeoutMs);
  });
  try {
    await Promise.race([stdio.terminalArrived(), late]);
  } finally {
    clearTimeout(timer);
  }
}
