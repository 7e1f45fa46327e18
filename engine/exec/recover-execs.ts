import type { Parts } from '../containers/parts.ts';
import type { KnownExec } from '../monitor/monitor.ts';
import type { ExecSpec } from './exec.ts';
import { publishExecDie } from './start-exec.ts';

/**
 * At boot, after the containers: execs that an engine before this one has started are known again, those that have ended
 * meanwhile with their exit code. From then on the ends of execs are handled as they come.
 */
export async function recoverExecs(parts: Parts): Promise<Disposable> {
  const { monitor, execs } = parts;
  // Before the question: what ends between the two is in the answer or told, and told twice is no harm.
  const listening = monitor.onExecExit((exit) => {
    const exec = execs.byId(exit.id);
    if (exec?.exited(exit) === true) publishExecDie(parts, exec);
  });
  try {
    for (const known of await monitor.execs()) recover(parts, known);
    return listening;
  } catch (error) {
    listening[Symbol.dispose]();
    throw error;
  }
}

function recover({ directory, execs }: Parts, { started, detail, exit }: KnownExec): void {
  const container = directory.byId(started.container);
  if (container === undefined) return;
  const exec = execs.add(container, JSON.parse(detail) as ExecSpec, started.id);
  exec.begin();
  exec.started(started);
  if (exit !== null) exec.exited(exit);
}
