/** What must be remembered of a container's runs beyond its present state: it decides whether and when it is restarted. */
export interface History {
  /** Somebody or something has started it: what was never started is not started at boot either. */
  readonly hasStarted: boolean;
  /** Restarts by policy since somebody started it. */
  readonly restartCount: number;
  /** The wait before the last of them; 0 before the first. */
  readonly restartDelayMs: number;
  /** Somebody stopped or signalled it since: `unless-stopped` does not start it at boot. */
  readonly isManuallyStopped: boolean;
  /** Somebody ended it: whatever its policy, the next exit is the last. */
  readonly isRestartCancelled: boolean;
  /** When the run before the present one ended, RFC 3339; null before the first end. */
  readonly finishedAt: string | null;
  /** Written when it changes, not at each probe. Null without a health check, and before the first start. */
  readonly health: 'starting' | 'healthy' | 'unhealthy' | null;
}

export const noHistory: History = {
  hasStarted: false,
  restartCount: 0,
  restartDelayMs: 0,
  isManuallyStopped: false,
  isRestartCancelled: false,
  finishedAt: null,
  health: null,
};

/** As a row holds it: what an engine of before did not write yet is as if nothing had happened. */
export function readHistory(text: string): History {
  return { ...noHistory, ...(JSON.parse(text) as Partial<History>) };
}

/** Nobody looks after its health while it is paused and when it has ended: docker calls that unhealthy. */
export function withoutProbes(history: History): History {
  return history.health === null ? history : { ...history, health: 'unhealthy' };
}

/** Somebody starts it: what its policy has counted is forgotten. */
export function startedByHand(history: History): History {
  return { ...noHistory, hasStarted: true, finishedAt: history.finishedAt };
}
