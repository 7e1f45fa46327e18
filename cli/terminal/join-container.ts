import { spawnSync } from 'node:child_process';
import type { AttachSession } from '../../client/attach.ts';
import type { EngineClient } from '../../client/engine-client.ts';
import { EngineError, EngineUnreachable } from '../../client/errors.ts';
import { write } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import type { Context } from '../verb.ts';
import { DetachScanner, defaultDetachKeys, parseDetachKeys } from '../../api/detach-keys.ts';

export interface JoinOptions {
  /** The container has a terminal: our own goes into raw mode and every key is the container's. */
  readonly hasTerminal: boolean;
  readonly stdin: boolean;
  readonly detachKeys: string | undefined;
}

/** Refuses before anything is made what could not be joined afterwards. */
export function checkTerminal(context: Context, { hasTerminal, stdin, detachKeys }: JoinOptions): void {
  if (hasTerminal && stdin && !context.stdin.isTTY) throw new CommandError('the input device is not a TTY');
  try {
    parseDetachKeys(detachKeys ?? defaultDetachKeys);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/**
 * Joins this process's stdio to a container's until its output ends or the detach keys are typed. Every byte passes as it is.
 * The terminal is as it was afterwards, whatever happens.
 */
export async function joinContainer(
  context: Context,
  session: AttachSession,
  options: JoinOptions,
): Promise<'ended' | 'detached'> {
  const detached = Promise.withResolvers<'detached'>();
  using _raw = options.hasTerminal && options.stdin ? rawMode(context) : null;
  using _input = options.stdin ? pumpInput(context, session, { ...options, onDetach: detached.resolve }) : null;
  const outcome = await Promise.race([pumpOutput(context, session), detached.promise]);
  if (outcome === 'detached') session[Symbol.dispose]();
  return outcome;
}

async function pumpOutput(context: Context, session: AttachSession): Promise<'ended'> {
  for await (const { stream, payload } of session.output) await write(context[stream], payload);
  return 'ended';
}

/** Every key as it is, until disposed. Nothing when stdin is no terminal. */
export function rawMode({ stdin, platform }: Context): Disposable {
  if (!stdin.isTTY) return { [Symbol.dispose]: () => undefined };
  stdin.setRawMode(true);
  // Node's raw mode still turns LF into CR LF on the way out; full-screen programs move the cursor down by a bare LF. What
  // cannot be set here (Windows has no stty, and no such turning either) is no reason to refuse the session.
  if (platform !== 'win32') spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  return { [Symbol.dispose]: () => void stdin.setRawMode(false) };
}

function pumpInput(
  { stdin }: Context,
  session: AttachSession,
  options: JoinOptions & { readonly onDetach: (outcome: 'detached') => void },
): Disposable {
  const keys = parseDetachKeys(options.detachKeys ?? defaultDetachKeys);
  const scanner = options.hasTerminal ? new DetachScanner(keys) : null;
  const onData = (bytes: Buffer): void => {
    const { pass, isDetached } = scanner?.push(bytes) ?? { pass: bytes, isDetached: false };
    if (isDetached) {
      options.onDetach('detached');
      return;
    }
    if (session.stdin.writable && !session.stdin.write(pass)) {
      stdin.pause();
      session.stdin.once('drain', () => stdin.resume());
    }
  };
  const onEnd = (): void => void session.stdin.end();
  stdin.on('data', onData).on('end', onEnd).on('error', onEnd);
  return {
    [Symbol.dispose]: () => {
      stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
      stdin.pause();
    },
  };
}

/** Gives the terminal over there the size of ours, now and whenever it changes. */
export function followSize(
  context: Context,
  tell: (size: { readonly rows: number; readonly columns: number }) => Promise<void>,
): Disposable {
  const { stdout } = context;
  if (!stdout.isTTY) return { [Symbol.dispose]: () => undefined };
  const resize = (): void => {
    // The container may have ended in the meantime; its size does not matter any more then.
    tell({ rows: stdout.rows, columns: stdout.columns }).catch(ignoreRefusal);
  };
  resize();
  stdout.on('resize', resize);
  return { [Symbol.dispose]: () => void stdout.off('resize', resize) };
}

const forwarded: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
];
const forwardedOnWindows: readonly NodeJS.Signals[] = ['SIGINT', 'SIGBREAK'];
const patience = 3;

/**
 * Passes signals on to the container instead of dying of them. Who presses ctrl-c for the third time at a container that does not
 * listen gets the terminal back: `onGivenUp` is called.
 */
export function forwardSignals(
  context: Context,
  target: { readonly engine: EngineClient; readonly id: string; readonly onGivenUp: () => void },
): Disposable {
  let interrupts = 0;
  return context.onSignal(context.platform === 'win32' ? forwardedOnWindows : forwarded, (signal) => {
    if (signal === 'SIGINT' || signal === 'SIGTERM') interrupts++;
    if (interrupts === patience) target.onGivenUp();
    else target.engine.containers.kill(target.id, signal === 'SIGBREAK' ? 'INT' : signal).catch(ignoreRefusal);
  });
}

/** A container that has just ended takes neither signals nor sizes; a lost connection shows where output is read. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof EngineError) && !(error instanceof EngineUnreachable)) throw error;
}
