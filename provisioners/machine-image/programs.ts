import { execFile } from 'node:child_process';
import { MachineError } from '../machines.ts';

export interface ProgramRun {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Written to the program's standard input, which is then closed. */
  readonly input?: string;
}

/**
 * Runs a program of the building computer to its end and gives back what it printed. A failure names the program and
 * carries the end of its standard error, which is where such tools say what is wrong; aborting ends the program.
 */
export async function runProgram(run: ProgramRun): Promise<Buffer> {
  run.signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = execFile(
      run.program,
      [...run.arguments],
      {
        cwd: run.cwd,
        encoding: 'buffer',
        env: { ...process.env, LC_ALL: 'C', ...run.environment },
        maxBuffer: 256 * 1024 * 1024,
        timeout: run.timeoutMs,
        signal: run.signal,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(failure({ run, error, stderr: stderr.toString() }));
      },
    );
    // A program that ends without reading all of its input is judged by its exit code, not by the broken pipe.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(run.input ?? '');
  });
}

function failure({
  run,
  error,
  stderr,
}: {
  run: ProgramRun;
  error: Error & { killed?: boolean };
  stderr: string;
}): Error {
  if (run.signal.aborted)
    return run.signal.reason instanceof Error ? run.signal.reason : new MachineError('aborted', 'Aborted.');
  if (error.killed === true) {
    return new MachineError('timeout', `${run.program} took longer than ${run.timeoutMs / 1000} s and was ended.`, {
      cause: error,
    });
  }
  const said = stderr.trim().split('\n').slice(-8).join('\n');
  return new MachineError('image-unavailable', `${run.program} failed: ${said === '' ? error.message : said}`, {
    cause: error,
  });
}
