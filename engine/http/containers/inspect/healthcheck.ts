import type { ContainerState, ContainerSummary, HealthConfig } from '../../../../api/containers.ts';
import type { Health } from '../../../containers/health/health.ts';
import type { HealthcheckSpec } from '../../../containers/spec/spec.ts';

/** `Config.Healthcheck` of a container or an image: what is empty or zero is left out, as Go does. */
export function presentHealthcheck(spec: HealthcheckSpec): HealthConfig {
  return {
    ...(spec.test.length === 0 ? {} : { Test: spec.test }),
    ...(spec.intervalNs === 0 ? {} : { Interval: spec.intervalNs }),
    ...(spec.timeoutNs === 0 ? {} : { Timeout: spec.timeoutNs }),
    ...(spec.startPeriodNs === 0 ? {} : { StartPeriod: spec.startPeriodNs }),
    ...(spec.startIntervalNs === 0 ? {} : { StartInterval: spec.startIntervalNs }),
    ...(spec.retries === 0 ? {} : { Retries: spec.retries }),
  };
}

/** `Health` of a list: also of containers without a check. */
export function presentHealthSummary(health: Health | null): NonNullable<ContainerSummary['Health']> {
  return { Status: health?.status ?? 'none', FailingStreak: health?.failingStreak ?? 0 };
}

/** `State.Health`. */
export function presentHealth(health: Health): NonNullable<ContainerState['Health']> {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map(({ startedAt, endedAt, exitCode, output }) => ({
      Start: startedAt,
      End: endedAt,
      ExitCode: exitCode,
      Output: output,
    })),
  };
}
