import { EngineError } from '../../client/errors.ts';
import { writeLines } from '../report.ts';
import type { Context } from '../verb.ts';
import { followSize, forwardSignals, joinContainer } from './join-container.ts';
import type { JoinOptions } from './join-container.ts';

export interface RunOptions extends JoinOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** The engine removes it: then it is gone when this resolves. */
  readonly isRemovedAtExit: boolean;
  readonly forwardsSignals: boolean;
}

/**
 * Starts a created container with our stdio joined to it and resolves with its exit code. The order is docker's: attach, then
 * wait, then start, so that neither the first byte nor the exit of a short program is missed.
 */
export async function runContainer(context: Context, id: string, options: RunOptions): Promise<number> {
  const { containers } = context.engine;
  const { stdin, stdout, stderr, detachKeys } = options;
  using session = await containers.attach(id, { stdin, stdout, stderr, ...(detachKeys ? { detachKeys } : {}) });
  using wait = await containers.wait(id, options.isRemovedAtExit ? 'removed' : 'next-exit');
  const givenUp = Promise.withResolvers<number>();
  using _signals = options.forwardsSignals
    ? forwardSignals(context, { engine: context.engine, id, onGivenUp: () => givenUp.resolve(1) })
    : null;
  const joined = joinContainer(context, session, options);
  joined.catch(() => undefined); // A start that fails comes first; then nobody waits for the output.
  try {
    await containers.start(id, detachKeys ? { detachKeys } : {});
  } catch (error) {
    session[Symbol.dispose]();
    await joined.catch(() => undefined);
    // The engine removes what could not be started; the name is free when the command ends.
    if (options.isRemovedAtExit && error instanceof EngineError) await wait.answer.catch(() => undefined);
    throw error;
  }
  using _size = options.hasTerminal ? followSize(context, (size) => containers.resize(id, size)) : null;
  const finished = async (): Promise<number> => {
    if ((await joined) === 'detached') {
      await writeLines(context.stderr, ['read escape sequence']);
      return 0;
    }
    const { StatusCode, Error: failure } = await wait.answer;
    if (!failure) return StatusCode;
    await writeLines(context.stderr, [`Error waiting for container: ${failure.Message}`]);
    return 125;
  };
  return await Promise.race([finished(), givenUp.promise]);
}
