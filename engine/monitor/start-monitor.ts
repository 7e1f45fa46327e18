import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from '../model/errors.ts';

export interface MonitorProgram {
  /** Absolute path of the monitor's program: `engine/monitor/main.ts`, or the bundle that was made of it. */
  readonly path: string;
  /** Which monitor it is: two with the same build are the same program. */
  readonly build: string;
}

const readyTimeoutMs = 60_000;
/**
 * A monitor lives on garbage-free paths and holds little: a small heap keeps its resident memory near what a bare Node takes.
 */
const nodeFlags = ['--max-old-space-size=128', '--max-semi-space-size=1', '--no-warnings'];

/** The program beside this file, when the engine runs from its sources. */
export function monitorFromSources(): MonitorProgram {
  return monitorProgram(fileURLToPath(new URL('./main.ts', import.meta.url)));
}

/** A bundle is its own identity; of sources, all in this folder count. */
export function monitorProgram(path: string): MonitorProgram {
  const hash = createHash('sha256');
  const folder = dirname(path);
  const isSource = path.endsWith('.ts');
  const files = isSource
    ? readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.includes('.test.'))
    : null;
  for (const file of files?.sort().map((name) => join(folder, name)) ?? [path]) hash.update(readFileSync(file));
  return { path, build: hash.digest('hex').slice(0, 12) };
}

export interface StartMonitorOptions {
  readonly program: MonitorProgram;
  readonly folder: string;
  readonly exitFolder: string;
  readonly idleMs: number;
}

/**
 * Starts a monitor in a session of its own, so that nothing that happens to skiffd reaches it. Resolves with the path of its
 * socket once it listens.
 */
export async function startMonitor(options: StartMonitorOptions): Promise<string> {
  const name = `${options.program.build}-${randomBytes(3).toString('hex')}`;
  const logPath = join(options.folder, `${name}.log`);
  const log = openSync(logPath, 'a', 0o600);
  const args = ['--folder', options.folder, '--exits', options.exitFolder, '--name', name];
  const more = ['--build', options.program.build, '--idle-ms', String(options.idleMs)];
  const child = spawn(process.execPath, [...nodeFlags, options.program.path, ...args, ...more], {
    cwd: '/',
    detached: true,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  child.unref();
  const { stdout } = child;
  if (stdout === null) throw new EngineError('internal', 'the monitor was started without its stdout');
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string): void => reject(new EngineError('internal', `${what}: ${tailOf(logPath)}`));
      const timer = setTimeout(() => fail(`the monitor was not ready within ${readyTimeoutMs} ms`), readyTimeoutMs);
      stdout.once('data', () => {
        clearTimeout(timer);
        resolve();
      });
      child.once('error', (error) => {
        clearTimeout(timer);
        fail(`the monitor could not be started (${error.message})`);
      });
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        fail(`the monitor ended with ${signal ?? `exit code ${code}`} before it was ready`);
      });
    });
  } catch (error) {
    child.kill('SIGKILL');
    rmSync(logPath, { force: true });
    throw error;
  } finally {
    stdout.destroy();
  }
  return join(options.folder, `${name}.sock`);
}

function tailOf(path: string): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size === 0 ? 'it said nothing' : readFileSync(path, 'utf8').slice(-2000).trim();
}
