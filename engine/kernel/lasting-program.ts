import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { internal } from '../model/errors.ts';

export interface LastingProgram {
  /** For errors: `name server`. */
  readonly what: string;
  /** Absolute path of a program of ours that says anything on its stdout once it is ready. */
  readonly program: string;
  readonly args: readonly string[];
  /** What it writes to its stderr; begun anew. */
  readonly logPath: string;
  readonly heapMegabytes: number;
  readonly readyTimeoutMs: number;
}

/**
 * Starts a program of ours in a session of its own, so that nothing that happens to skiffd reaches it. Resolves once it is
 * ready; throws `internal` with what it said when it is not in time, and it is gone then.
 */
export async function startLastingProgram(request: LastingProgram): Promise<void> {
  const { what, program, args, logPath, heapMegabytes, readyTimeoutMs } = request;
  const flags = [`--max-old-space-size=${heapMegabytes}`, '--max-semi-space-size=1', '--no-warnings'];
  const log = openSync(logPath, 'w', 0o600);
  const child = spawn(process.execPath, [...flags, program, ...args], {
    cwd: '/',
    detached: true,
    // The engine's environment may hold proxies and credentials: none of its business.
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  child.unref();
  const { stdout } = child;
  if (stdout === null) throw internal(`the ${what} was started without its stdout`);
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (how: string): void => {
        const said = readFileSync(logPath, 'utf8').slice(-2000).trim();
        reject(internal(`the ${what} ${how}: ${said === '' ? 'it said nothing' : said}`));
      };
      timer = setTimeout(() => fail(`was not ready within ${readyTimeoutMs} ms`), readyTimeoutMs);
      stdout.once('data', () => resolve());
      child.once('error', (error) => fail(`could not be started (${error.message})`));
      child.once('exit', (code, signal) => fail(`ended with ${signal ?? `exit code ${code}`} before it was ready`));
    });
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(timer);
    // From here on its end is none of ours.
    child.removeAllListeners('exit');
    stdout.destroy();
  }
}
