/**
 * What a health check makes of its probes (source: Docker's HEALTHCHECK reference and moby's health.go). Pure: time and
 * outcomes come from outside.
 *
 *     starting --success--> healthy --`retries` failures in a row--> unhealthy --success--> healthy
 *     starting --`retries` failures in a row, those within the start period not counted--> unhealthy
 */
import type { ContainerSpec, HealthcheckSpec } from '../spec/spec.ts';

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

export interface Health {
  readonly status: HealthStatus;
  /** Failures since the last success that count. */
  readonly failingStreak: number;
  /** The last probes, oldest first. */
  readonly log: readonly ProbeResult[];
}

export interface ProbeResult {
  /** RFC 3339. */
  readonly startedAt: string;
  readonly endedAt: string;
  /** 0 is healthy; -1: it took too long, or could not be run. */
  readonly exitCode: number;
  readonly output: string;
}

/** A health check with its defaults filled in. */
export interface ProbePlan {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

const keptResults = 5;

/** Null when there is nothing to run: none, `NONE`, or a kind that nobody knows. */
export function probePlan(spec: HealthcheckSpec | null, shell: readonly string[] | null): ProbePlan | null {
  if (spec === null) return null;
  const command = commandOf(spec.test, shell ?? ['/bin/sh', '-c']);
  if (command === null) return null;
  const milliseconds = (ns: number, otherwise: number): number => (ns === 0 ? otherwise : ns / 1e6);
  return {
    command,
    intervalMs: milliseconds(spec.intervalNs, 30_000),
    timeoutMs: milliseconds(spec.timeoutNs, 30_000),
    startPeriodMs: milliseconds(spec.startPeriodNs, 0),
    startIntervalMs: milliseconds(spec.startIntervalNs, 5_000),
    retries: spec.retries === 0 ? 3 : spec.retries,
  };
}

function commandOf([kind, ...words]: readonly string[], shell: readonly string[]): readonly string[] | null {
  if (words.length === 0) return null;
  if (kind === 'CMD') return words;
  return kind === 'CMD-SHELL' ? [...shell, ...words] : null;
}

/** With which a run begins; null without a health check. */
export function firstStatus(spec: Pick<ContainerSpec, 'healthcheck' | 'shell'>): HealthStatus | null {
  return probePlan(spec.healthcheck, spec.shell) === null ? null : 'starting';
}

/** How long after the last probe, or after the start, the next one is due. */
export function nextProbeMs(plan: ProbePlan, status: HealthStatus, runningMs: number): number {
  return status === 'starting' && runningMs < plan.startPeriodMs ? plan.startIntervalMs : plan.intervalMs;
}

/** `runningMs`: how long the container had run when the probe began. */
export function afterProbe(
  plan: ProbePlan,
  health: Health,
  probe: { readonly result: ProbeResult; readonly runningMs: number },
): Health {
  const log = [...health.log, probe.result].slice(-keptResults);
  if (probe.result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (health.status === 'starting' && probe.runningMs < plan.startPeriodMs) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= plan.retries ? 'unhealthy' : health.status, failingStreak, log };
}
