/** What a monitor has crun do. */
import { closeSync, openSync } from 'node:fs';
import { internal } from '../model/errors.ts';
import type { Children, ExitStatus } from '../kernel/children.ts';
import type { SealedPrograms } from '../kernel/sealed-program.ts';
import type { RuntimeProgram } from './monitor.ts';

const env = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C'];
const deleteTimeoutMs = 30_000;

/** What starting crun takes. */
export interface Crun {
  readonly children: Children;
  readonly programs: SealedPrograms;
}

export interface RunCall {
  readonly runtime: RuntimeProgram;
  readonly id: string;
  readonly bundle: string;
  readonly pidPath: string;
  readonly consolePath: string | null;
  readonly stdio: readonly [number, number, number];
  readonly timeoutMs: number;
}

/** Starts the container's process and resolves when crun is done with that. A crun that hangs is killed: 'timeout'. */
export async function runContainer(crun: Crun, call: RunCall): Promise<ExitStatus | 'timeout'> {
  const console = call.consolePath === null ? [] : ['--console-socket', call.consolePath];
  const run = ['run', '--detach', '--bundle', call.bundle, '--pid-file', call.pidPath, ...console, call.id];
  const child = crun.children.spawn({
    program: crun.programs.pathOf(call.runtime.program),
    args: ['crun', '--root', call.runtime.stateFolder, ...run],
    env,
    stdio: call.stdio,
  });
  return await orKill(child, call.timeoutMs);
}

export interface ExecCall extends Omit<RunCall, 'bundle'> {
  /** A file with the process (source: crun.1, exec --process). */
  readonly processPath: string;
}

/** Starts one more process in a running container; with the filter that the container was started with. */
export async function execInContainer(crun: Crun, call: ExecCall): Promise<ExitStatus | 'timeout'> {
  const console = call.consolePath === null ? [] : ['--console-socket', call.consolePath];
  const files = ['--process', call.processPath, '--pid-file', call.pidPath, ...console];
  const child = crun.children.spawn({
    program: crun.programs.pathOf(call.runtime.program),
    args: ['crun', '--root', call.runtime.stateFolder, 'exec', '--detach', ...files, call.id],
    env,
    stdio: call.stdio,
  });
  return await orKill(child, call.timeoutMs);
}

/** Removes what crun keeps of a container, its cgroup, and any process that is still in it. Nothing there is fine. */
export async function deleteContainer(crun: Crun, runtime: RuntimeProgram, id: string): Promise<void> {
  const nothing = openSync('/dev/null', 'r+');
  try {
    const child = crun.children.spawn({
      program: crun.programs.pathOf(runtime.program),
      args: ['crun', '--root', runtime.stateFolder, 'delete', '--force', id],
      env,
      stdio: [nothing, nothing, nothing],
    });
    const status = await orKill(child, deleteTimeoutMs);
    if (status === 'timeout') throw internal(`crun delete of container ${id} took more than ${deleteTimeoutMs} ms`);
    if (status.code !== 0) throw internal(`crun delete of container ${id} failed with exit code ${status.code}`);
  } finally {
    closeSync(nothing);
  }
}

async function orKill(
  child: { readonly pid: number; readonly ended: Promise<ExitStatus> },
  timeoutMs: number,
): Promise<ExitStatus | 'timeout'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'timeout'>((resolve) => {
    timer = setTimeout(() => resolve('timeout'), timeoutMs);
  });
  const first = await Promise.race([child.ended, late]);
  clearTimeout(timer);
  if (first !== 'timeout') return first;
  // Not reaped yet, so the pid is still this child's.
  process.kill(child.pid, 'SIGKILL');
  await child.ended;
  return 'timeout';
}
