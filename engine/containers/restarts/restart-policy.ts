/** Whether and when a container that has ended is started again (source: Docker's restart manager, whose numbers these are). */
import type { History } from './history.ts';
import type { RestartPolicySpec } from '../spec/spec.ts';

const firstDelayMs = 100;
const longestDelayMs = 60_000;
/** Who ran for that long is not in a loop of failures: the waits begin anew. */
const soundRunMs = 10_000;

/** The wait before the restart, or null for none. */
export function restartDelayMs(
  policy: RestartPolicySpec,
  history: History,
  run: { readonly exitCode: number; readonly durationMs: number },
): number | null {
  if (history.isRestartCancelled || !wantsRestart(policy, history, run.exitCode)) return null;
  const before = run.durationMs >= soundRunMs ? 0 : history.restartDelayMs;
  return before === 0 ? firstDelayMs : Math.min(before * 2, longestDelayMs);
}

/**
 * At boot, for a container that does not run. `always` and `unless-stopped` differ here alone: the first starts also what
 * somebody stopped.
 */
export function startsAtBoot(policy: RestartPolicySpec, history: History, exitCode: number): boolean {
  return history.hasStarted && wantsRestart(policy, history, exitCode);
}

function wantsRestart(policy: RestartPolicySpec, history: History, exitCode: number): boolean {
  switch (policy.name) {
    case 'no':
      return false;
    case 'always':
      return true;
    case 'unless-stopped':
      return !history.isManuallyStopped;
    case 'on-failure':
      return exitCode !== 0 && (policy.maxRetries === 0 || history.restartCount < policy.maxRetries);
  }
}
