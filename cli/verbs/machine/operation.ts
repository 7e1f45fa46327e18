import { MachineError } from '../../../provisioners/machines.ts';
import type { Operation } from '../../../provisioners/progress.ts';
import { writeProgress } from '../../progress-lines.ts';
import { describeError, writeLines } from '../../report.ts';
import type { Context } from '../../verb.ts';

/**
 * Runs something long with its steps drawn on stderr. The first ctrl-c aborts it at its next safe point, the second ends this
 * process as ever.
 */
export async function runOperation<T>(context: Context, work: (operation: Operation) => Promise<T>): Promise<T> {
  const control = new AbortController();
  using signals = context.onSignal(['SIGINT', 'SIGTERM'], () => {
    control.abort(new MachineError('aborted', 'interrupted'));
    signals[Symbol.dispose]();
  });
  using progress = writeProgress(context.stderr);
  return await work({ report: progress.report, signal: control.signal });
}

/**
 * Does the same to each machine, all at once; a line of `say` for each that succeeded, a line on stderr for each that did not.
 * Exit code 1 when there was one.
 */
export async function operateOnEach(
  context: Context,
  names: readonly string[],
  on: {
    readonly work: (name: string, operation: Operation) => Promise<unknown>;
    readonly say: (name: string) => string;
  },
): Promise<number> {
  const outcomes = await runOperation(context, (operation) =>
    Promise.allSettled(names.map((name) => on.work(name, labelled(operation, name, names.length)))),
  );
  for (const [index, outcome] of outcomes.entries()) {
    const name = names[index] ?? '';
    if (outcome.status === 'fulfilled') await writeLines(context.stdout, [on.say(name)]);
    else await writeLines(context.stderr, [describeError(outcome.reason)]);
  }
  return outcomes.some(({ status }) => status === 'rejected') ? 1 : 0;
}

/** Steps of several machines have the same names: each says whose it is. */
function labelled(operation: Operation, name: string, count: number): Operation {
  if (count === 1) return operation;
  return {
    signal: operation.signal,
    report: (report) =>
      operation.report({ ...report, step: `${name}/${report.step}`, title: `${name}: ${report.title}` }),
  };
}

/** By its name: the built command carries a class of its own beside that of the machines' code. */
export function isMachineError(error: unknown): error is MachineError {
  return error instanceof Error && error.name === 'MachineError';
}
