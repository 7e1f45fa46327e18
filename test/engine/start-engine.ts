import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { faultVariable } from '../../engine/config/faults.ts';
import { copyDataRoot } from './first-data-root.ts';

/** Names the folder with the programs of the release that the tests' set-up bundled (bundled-engine.ts). */
export const releaseVariable = 'SKIFF_TEST_RELEASE';

/** Names the data root that an engine's own begins as (first-data-root.ts). Not set: with nothing. */
export const firstDataRootVariable = 'SKIFF_TEST_FIRST_DATA_ROOT';

/** What was bundled, started as a machine starts it; or the sources outside of the tests. */
function engineProgram(): string {
  const release = process.env[releaseVariable];
  return release === undefined
    ? path.resolve(import.meta.dirname, '../../engine/main.ts')
    : path.join(release, 'skiffd.js');
}

/** A real skiffd in a process of its own, on roots of its own. */
export interface RunningEngine extends AsyncDisposable {
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  pid(): number;
  /** kill -9, and wait until it is gone. Containers and monitor run on. */
  crash(): Promise<void>;
  /** TERM, and wait until it is gone. */
  stop(): Promise<void>;
  /** Starts it again on the same roots. */
  start(): Promise<void>;
  /** It ends by KILL when it comes to this point (engine/config/faults.ts); until its next start. */
  dieAt(point: string): void;
  log(): string;
}

/** `program`: another one than the tests' own. Disposing removes every container, ends engine and monitor, and removes the roots and the bridge. */
export async function startEngine(
  options: {
    readonly flags?: readonly string[];
    readonly program?: string;
    readonly nodeFlags?: readonly string[];
  } = {},
): Promise<RunningEngine> {
  const { program = engineProgram(), nodeFlags = [] } = options;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-engine-'));
  const socket = path.join(folder, 'skiffd.sock');
  const dataRoot = path.join(folder, 'data');
  const execRoot = path.join(folder, 'exec');
  let output = '';
  let child: ChildProcess | null = null;

  const flags = [
    '-H',
    `unix://${socket}`,
    '--data-root',
    dataRoot,
    '--exec-root',
    execRoot,
    '--pidfile',
    path.join(folder, 'pid'),
    '-D',
    ...(options.flags ?? []),
  ];
  const faultFile = path.join(folder, 'fault');
  const start = async (): Promise<void> => {
    rmSync(faultFile, { force: true });
    const started = spawn(process.execPath, [...nodeFlags, program, ...flags], {
      env: { ...process.env, [faultVariable]: faultFile },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await untilListening(socket, started, () => output);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await ended;
  };
  const engine: RunningEngine = {
    socket,
    dataRoot,
    execRoot,
    pid: () => child?.pid ?? -1,
    crash: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    start,
    dieAt: (point) => writeFileSync(faultFile, point),
    log: () => output,
    async [Symbol.asyncDispose]() {
      await end('SIGTERM');
      const ended = child?.exitCode ?? 0;
      const endingFailure = ended === 0 ? null : `the engine ended with exit code ${ended} when it was asked to end`;
      const removal = spawn(process.execPath, [program, ...flags, '--remove-all'], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      for (const stream of [removal.stdout, removal.stderr])
        stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const code = await new Promise((resolve) => removal.once('close', resolve));
      if (code !== 0)
        throw new Error(`the engine could not remove what it made (exit ${String(code)}):\n${said}\n${output}`);
      const mounts = readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.includes(folder));
      if (mounts.length > 0) throw new Error(`mounts are left:\n${mounts.join('\n')}`);
      rmSync(folder, { recursive: true, force: true });
      if (endingFailure !== null) throw new Error(`${endingFailure}:\n${output}`);
    },
  };
  const first = process.env[firstDataRootVariable];
  try {
    if (first !== undefined && !options.flags?.includes('--data-root')) copyDataRoot(first, dataRoot);
    await start();
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return engine;
}

/** The socket answers, or the process has ended and said why. */
async function untilListening(socket: string, child: ChildProcess, log: () => string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the engine ended at once:\n${log()}`);
    if (await answers(socket)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the engine does not listen on ${socket}:\n${log()}`);
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
