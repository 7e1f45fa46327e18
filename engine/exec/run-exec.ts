import type { Readable } from 'node:stream';
import { FrameDecoder } from '../../api/framing.ts';
import type { Container } from '../containers/container.ts';
import type { Parts } from '../containers/parts.ts';
import { EngineError } from '../model/errors.ts';
import { StartError } from '../monitor/start-error.ts';
import type { Exec } from './exec.ts';
import { attachExec, createExec, startExec } from './start-exec.ts';

const kill = 9;

export interface RunExecOptions {
  readonly command: readonly string[];
  readonly env?: readonly string[];
  /** Empty or absent: the container's own. */
  readonly user?: string;
  /** Absent: the container's own. */
  readonly workingDir?: string;
  /** Then its process is killed. */
  readonly timeoutMs: number;
  /** What comes after so many bytes of output is dropped. */
  readonly maxOutputBytes: number;
  /** Kills it before its time. */
  readonly signal?: AbortSignal;
}

export interface ExecOutcome {
  /** 126 or 127 when it could not be run: `output` says why then. */
  readonly exitCode: number;
  /** stdout and stderr as they came. */
  readonly output: Buffer;
  readonly ending: 'by-itself' | 'timed-out' | 'aborted';
}

/**
 * Runs a command in a container from beginning to end, with the events of any exec. Resolves for every outcome of the
 * command; throws `conflict` when the container does not run, and what keeps the engine itself from running it.
 */
export async function runExec(parts: Parts, container: Container, options: RunExecOptions): Promise<ExecOutcome> {
  const exec = createExec(parts, container, {
    command: options.command,
    env: options.env ?? [],
    user: options.user ?? '',
    workingDir: options.workingDir ?? null,
    isPrivileged: false,
    hasTerminal: false,
    consoleSize: null,
    detachKeys: '',
    attached: { stdin: false, stdout: true, stderr: true },
  });
  await using attachment = await attachExec(parts, exec);
  const output = collect(attachment.stream, options.maxOutputBytes);
  // When the exec cannot be started nobody awaits it, and its stream is cut off: that must not end the engine.
  output.catch(() => undefined);
  let ending: ExecOutcome['ending'] = 'by-itself';
  let isLate = false;
  const end = (how: ExecOutcome['ending']): void => {
    ending = how;
    isLate = true;
    if (exec.state.status === 'running') killExec(parts, exec);
  };
  const timer = setTimeout(() => end('timed-out'), options.timeoutMs);
  const onAbort = (): void => end('aborted');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await startExec(parts, exec, { isDetached: false, consoleSize: null });
    if (isLate || options.signal?.aborted === true) killExec(parts, exec);
    const exitCode = await exec.ended;
    return { exitCode, output: await output, ending };
  } catch (error) {
    const { state } = exec;
    const isOutcome = error instanceof StartError || (error instanceof EngineError && error.kind === 'invalid');
    if (!isOutcome || state.status !== 'ended') throw error;
    return { exitCode: state.exitCode, output: Buffer.from(error.message), ending };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

function killExec(parts: Parts, exec: Exec): void {
  parts.monitor.signal(exec.id, kill).catch((error: unknown) => {
    // It has ended in this very moment: what was wanted is there.
    parts.log.debug('exec could not be killed', { exec: exec.id, error });
  });
}

/** Payloads of the frames, in their order. */
async function collect(stream: Readable, maxBytes: number): Promise<Buffer> {
  const decoder = new FrameDecoder();
  const parts: Buffer[] = [];
  let left = maxBytes;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (const { payload } of decoder.push(chunk)) {
      parts.push(payload.subarray(0, left));
      left -= Math.min(left, payload.length);
    }
  }
  return Buffer.concat(parts);
}
