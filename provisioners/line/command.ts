import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { MachineError } from '../machines.ts';
import type { CommandResult } from './line.ts';

/** What every line does with a command that has ended. */

/** The command's output, or an error with what it said. */
export function outputOf(command: string, result: CommandResult): string {
  if (result.exitCode === 0) return result.stdout;
  throw commandFailed(command, { exitCode: result.exitCode, said: result.stderr.trim() || result.stdout.trim() });
}

export function commandFailed(
  command: string,
  how: { readonly exitCode: number; readonly said: string },
): MachineError {
  const said = how.said.slice(-2_000);
  const code = said.includes('No space left') ? 'no-space' : 'ssh-failed';
  const why = said === '' ? '' : `: ${said}`;
  return new MachineError(code, `\`${firstLine(command)}\` failed in the machine with exit code ${how.exitCode}${why}`);
}

export function commandTooSlow(command: string, timeoutMs: number, cause: unknown): MachineError {
  return new MachineError(
    'timeout',
    `\`${firstLine(command)}\` did not end in the machine within ${timeoutMs / 1000} s`,
    { cause },
  );
}

/** All that the stream says; rejects with the signal's reason, for a channel that is given up may never end. */
export function collect(stream: Readable, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(Buffer.concat(chunks).toString('utf8'));
    };
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', settle);
    // A connection that breaks closes its streams without an end; whether a command succeeded, its exit status tells.
    stream.once('close', settle);
    stream.once('error', reject);
  });
}

/** As a shell tells it: 128 and the signal's number. */
export function signalExitCode(name: string | null): number {
  const number = Object.entries(constants.signals).find(([key]) => key === `SIG${name}`)?.[1];
  return number === undefined ? 255 : 128 + number;
}

function firstLine(command: string): string {
  return command.split('\n', 1)[0] ?? command;
}
