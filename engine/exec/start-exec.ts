import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Container } from '../containers/container.ts';
import { publishContainerEvent } from '../containers/container-events.ts';
import type { Parts } from '../containers/parts.ts';
import { bundleFolder } from '../containers/life/start.ts';
import { conflict } from '../model/errors.ts';
import type { Attachment, StdioPlan, TerminalSize } from '../monitor/monitor.ts';
import { StartError } from '../monitor/start-error.ts';
import { readInside } from '../rootfs/rootfs.ts';
import type { RuntimeSpec } from '../runtime/oci.ts';
import { type ProcessUser, resolveUser } from '../runtime/user.ts';
import type { Exec, ExecSpec } from './exec.ts';
import { execProcess } from './exec-process.ts';

/** Docker waits as long for output that something else than the command still holds open. */
const drainTimeoutMs = 2000;

/** Makes an exec, to be started by `startExec`. Throws `conflict` when the container does not run, `invalid` for a user that is not there. */
export function createExec(parts: Parts, container: Container, spec: ExecSpec): Exec {
  assertRunning(container);
  // Asked again at the start: by then the file may be another.
  if (spec.user !== '') userOf(parts, container, spec.user);
  const exec = parts.execs.add(container, spec);
  publish(parts, exec, `exec_create: ${commandLine(spec)}`);
  return exec;
}

/** Joins a client to an exec; before its start, so that it loses nothing. */
export async function attachExec(parts: Parts, exec: Exec): Promise<Attachment> {
  const { attached } = exec.spec;
  const wants = (['stdin', 'stdout', 'stderr'] as const).filter((stream) => attached[stream]);
  return await parts.monitor.attach({ id: exec.id, wants, whenSlow: 'wait' });
}

/**
 * Runs it; resolves when the process runs, or has run. Throws `conflict` when it was started before or the container does
 * not run, `invalid` for a user that is not there, `StartError` when the program cannot be run.
 */
export async function startExec(
  parts: Parts,
  exec: Exec,
  how: { readonly isDetached: boolean; readonly consoleSize: TerminalSize | null },
): Promise<void> {
  assertRunning(exec.container);
  exec.begin();
  publish(parts, exec, `exec_start: ${commandLine(exec.spec)}`);
  try {
    const { container, id, spec } = exec;
    if (spec.workingDir !== null && !path.posix.isAbsolute(spec.workingDir))
      throw new StartError(128, 'OCI runtime exec failed: exec failed: Cwd must be an absolute path');
    const consoleSize = how.consoleSize ?? spec.consoleSize;
    const started = await parts.monitor.exec({
      id,
      container: container.id,
      runtime: parts.runtime,
      process: processOf(parts, exec, consoleSize),
      stdio: stdioPlan(spec, { isDetached: how.isDetached, consoleSize }),
      detail: JSON.stringify(spec),
      drainTimeoutMs,
    });
    if (exec.started(started)) publishExecDie(parts, exec);
  } catch (error) {
    exec.failed(error instanceof StartError ? error.exitCode : 126, parts.now());
    throw error;
  }
}

export function publishExecDie(parts: Parts, exec: Exec): void {
  const { state } = exec;
  if (state.status === 'ended') publish(parts, exec, 'exec_die', { exitCode: String(state.exitCode) });
}

/** The client that was joined has left it to itself. */
export function publishExecDetach(parts: Parts, exec: Exec): void {
  publish(parts, exec, 'exec_detach');
}

/** As docker joins it, with a space after a command without arguments. */
function commandLine({ command: [program = '', ...args] }: ExecSpec): string {
  return `${program} ${args.join(' ')}`;
}

/** Throws docker's `conflict`. */
export function assertRunning({ id, name, state }: Container): void {
  switch (state.status) {
    case 'running':
      return;
    case 'paused':
      throw conflict(`Container ${name} is paused, unpause the container before exec`);
    case 'restarting':
      throw conflict(`Container ${id} is restarting, wait until the container is running`);
    default:
      throw conflict(`container ${id} is not running`);
  }
}

function publish(parts: Parts, exec: Exec, action: string, extra: Readonly<Record<string, string>> = {}): void {
  publishContainerEvent(parts, exec.container, action, { execID: exec.id, ...extra });
}

function processOf(
  parts: Parts,
  { container, spec }: Exec,
  consoleSize: TerminalSize | null,
): ReturnType<typeof execProcess> {
  const config = readFileSync(path.join(bundleFolder(parts, container), 'config.json'), 'utf8');
  return execProcess({
    base: (JSON.parse(config) as RuntimeSpec).process,
    containerEnv: container.spec.process.env,
    spec,
    user: spec.user === '' ? null : userOf(parts, container, spec.user),
    consoleSize,
    capabilities: parts.host.capabilities,
  });
}

function userOf(parts: Parts, container: Container, user: string): ProcessUser {
  const { merged } = parts.roots.get(container.id);
  const read = (file: string): ReturnType<typeof readInside> => readInside(merged, file, { maxBytes: 1 << 20 });
  return resolveUser(user, read, container.spec.process.addedGroups);
}

function stdioPlan(
  spec: ExecSpec,
  how: { readonly isDetached: boolean; readonly consoleSize: TerminalSize | null },
): StdioPlan {
  // Of one that nobody is attached to, input would never come and never end.
  const hasInput = spec.attached.stdin && !how.isDetached;
  if (spec.hasTerminal) return { kind: 'terminal', stdin: hasInput ? 'open' : 'none', size: how.consoleSize };
  return { kind: 'pipes', stdin: hasInput ? 'once' : 'none' };
}
