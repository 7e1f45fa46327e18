import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RunningAgent } from '../host-agent/agent-state.ts';
import { readAgent } from '../host-agent/agent-state.ts';
import { MachineError } from '../machines.ts';
import { quietEnvironment } from '../secrets/quiet-environment.ts';
import type { MachinePaths } from '../store/home.ts';
import { isAlive, waitForEnd } from '../store/process-identity.ts';

/** How the host agent's program is started on this computer. */
export interface AgentProgram {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The program from its sources (or beside this file in a bundle), run by whatever runs this. */
export function ownAgentProgram(): AgentProgram {
  return {
    command: process.execPath,
    arguments: [fileURLToPath(new URL('../host-agent/main.ts', import.meta.url))],
    // Electron's binary is a Node when it is told so.
    environment: process.versions['electron'] === undefined ? {} : { ELECTRON_RUN_AS_NODE: '1' },
  };
}

export interface AgentOf {
  readonly program: AgentProgram;
  readonly home: string;
  readonly name: string;
  readonly paths: MachinePaths;
}

interface AgentChild {
  readonly hasEnded: () => boolean;
}

/** A process for an agent, there before its machine is. Disposing ends one that was not let go. */
export interface PreparedAgent extends AgentChild, Disposable {
  letGo(): void;
}

/**
 * Starts an agent that waits until its machine can be reached: what a process takes to begin goes by while the machine boots. Null where
 * one runs already. It ends when this process does.
 */
export async function prepareAgent(agent: AgentOf): Promise<PreparedAgent | null> {
  if ((await readAgent(agent.paths)) !== null) return null;
  const { child, hasEnded } = await spawnAgent(agent, 'held');
  const { stdin } = child;
  // A process that has ended takes no word; `hasEnded` tells of it.
  stdin?.on('error', () => undefined);
  return {
    hasEnded,
    letGo: () => void stdin?.end('go\n'),
    [Symbol.dispose]: () => void (stdin?.writableEnded === false && stdin.destroy()),
  };
}

/** Has the machine's agent running and connected; starts one when there is none, or lets the prepared one go. */
export async function ensureAgent(
  agent: AgentOf,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly prepared?: PreparedAgent | null },
): Promise<void> {
  const { signal, timeoutMs, prepared = null } = options;
  const deadline = performance.now() + timeoutMs;
  let child: AgentChild | null =
    prepared ?? ((await readAgent(agent.paths)) === null ? await spawnAgent(agent, 'free') : null);
  prepared?.letGo();
  for (;;) {
    signal.throwIfAborted();
    const running = await readAgent(agent.paths);
    if (running?.state.connection === 'ready') return;
    if (running === null && child?.hasEnded() !== false) {
      if (performance.now() >= deadline) throw await agentFailed(agent, 'it ended');
      // It gave way to one that was just ending, or was killed: another try belongs to this one.
      await delay(100, undefined, { signal });
      child = await spawnAgent(agent, 'free');
    }
    if (performance.now() >= deadline) {
      throw await agentFailed(agent, running?.state.error ?? `it was not connected within ${timeoutMs / 1000} s`);
    }
    await delay(20, undefined, { signal });
  }
}

/** Ends the machine's agent, if one runs, and removes what it leaves when it is killed. */
export async function endAgent(paths: MachinePaths): Promise<void> {
  const running = await readAgent(paths);
  if (running !== null) await endProcess(running);
  await rm(paths.agentState, { force: true });
  if (!paths.dockerSocket.startsWith('\\\\')) await rm(paths.dockerSocket, { force: true });
}

async function endProcess({ identity }: RunningAgent): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(identity.pid, signal);
    } catch (error) {
      if (await isAlive(identity)) throw error;
    }
    if (await waitForEnd(identity, { timeoutMs: 5_000 })) return;
  }
  throw new MachineError('timeout', `The host agent (process ${identity.pid}) does not end although it was killed`);
}

async function spawnAgent(
  agent: AgentOf,
  state: 'held' | 'free',
): Promise<AgentChild & { readonly child: ChildProcess }> {
  const { program, home, name, paths } = agent;
  await using log = await open(paths.agentLog, 'a', 0o600);
  const held = state === 'held' ? ['--held'] : [];
  const child = spawn(program.command, [...program.arguments, '--home', home, '--machine', name, ...held], {
    cwd: paths.folder,
    detached: true,
    stdio: [state === 'held' ? 'pipe' : 'ignore', 'ignore', log.fd],
    env: { ...quietEnvironment(process.env), ...program.environment },
    windowsHide: true,
  });
  let hasEnded = false;
  child.once('exit', () => (hasEnded = true));
  child.once('error', () => (hasEnded = true));
  child.unref();
  return { child, hasEnded: () => hasEnded };
}

async function agentFailed(agent: AgentOf, why: string): Promise<MachineError> {
  const log = await readFile(agent.paths.agentLog, 'utf8').catch(() => '');
  const tail = log.trim().split('\n').slice(-5).join('\n');
  return new MachineError(
    'ssh-failed',
    `The host agent of machine "${agent.name}" did not come up: ${why}${tail === '' ? '' : `\nIts log ended with:\n${tail}`}`,
  );
}
