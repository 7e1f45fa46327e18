import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a program ended and all that it wrote, byte for byte (latin1). */
export interface ProgramResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Written to stdin, which is then closed; null leaves it open for `type`. Default: empty. */
  readonly input?: string | Buffer | null;
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** Ends the program by KILL after that; the result then has that signal. */
  readonly timeoutMs?: number;
}

/** A program under way. Disposing kills it. */
export interface RunningProgram extends AsyncDisposable {
  readonly ended: Promise<ProgramResult>;
  type(text: string): void;
  /** Ends stdin. */
  closeInput(): void;
  kill(signal: NodeJS.Signals): void;
  /** Closes our end of its stdout, as a reader that has seen enough does. */
  closeOutput(): void;
  /** Resolves once stdout and stderr together match; rejects with what was seen when the program ends or after `deadlineMs` (30 s). */
  shows(pattern: RegExp, deadlineMs?: number): Promise<void>;
}

const showDeadlineMs = 30_000;

export function startProgram(file: string, args: readonly string[], options: ProgramOptions = {}): RunningProgram {
  const child = spawn(file, args, {
    stdio: 'pipe',
    cwd: options.workingDir,
    env: { ...process.env, ...options.environment },
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  });
  const text = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('latin1').on('data', (part: string) => {
      text[name] += part;
      for (const watcher of watchers) watcher();
    });
  }
  child.stdin.on('error', () => undefined); // The program may end before it has read everything.
  if (options.input !== null) child.stdin.end(options.input ?? '');
  const ended = new Promise<ProgramResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, ...text }));
  });
  return {
    ended,
    type: (typed) => void child.stdin.write(typed),
    closeInput: () => void child.stdin.end(),
    kill: (signal) => void child.kill(signal),
    closeOutput: () => void child.stdout.destroy(),
    shows: (pattern, deadlineMs = showDeadlineMs) =>
      new Promise((resolve, reject) => {
        const settle = (error?: Error): void => {
          clearTimeout(timer);
          watchers.delete(watcher);
          if (error) reject(error);
          else resolve();
        };
        const all = (): string => text.stdout + text.stderr;
        const watcher = (): void => void (pattern.test(all()) && settle());
        const timer = setTimeout(() => settle(new Error(`${pattern} did not come; there was: ${all()}`)), deadlineMs);
        watchers.add(watcher);
        void ended.then(() => settle(new Error(`${file} ended without ${pattern}; there was: ${all()}`)), settle);
        watcher();
      }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  return startProgram(file, args, options).ended;
}

/** Names the `skiff` command that the tests' set-up bundled (bundled-skiff.ts). */
export const bundledSkiffVariable = 'SKIFF_TEST_COMMAND';

type Command = readonly [file: string, ...args: string[]];

const sources = fileURLToPath(new URL('../../cli/skiff.mjs', import.meta.url));

/** The `skiff` command of a checkout as a real process, by this Node; `--` as in its first line. */
export const skiffFromSources: Command = [process.execPath, '--', sources];

/** The `skiff` command as it is released; outside of tests the one of the checkout. */
export const skiffCommand: Command = [process.execPath, '--', process.env[bundledSkiffVariable] ?? sources];
