import type { HealthConfig } from '../../api/containers.ts';

/** Durations in nanoseconds. */
export interface HealthFlags {
  readonly noHealthcheck: boolean;
  readonly healthCmd: string | undefined;
  readonly healthInterval: number | undefined;
  readonly healthTimeout: number | undefined;
  readonly healthStartPeriod: number | undefined;
  readonly healthStartInterval: number | undefined;
  readonly healthRetries: number | undefined;
}

/** The check that the flags describe; undefined: the image's own. Throws RangeError in docker's words. */
export function healthcheckOf(flags: HealthFlags): HealthConfig | undefined {
  const durations = {
    Interval: flags.healthInterval,
    Timeout: flags.healthTimeout,
    StartPeriod: flags.healthStartPeriod,
    StartInterval: flags.healthStartInterval,
    Retries: flags.healthRetries,
  };
  const given = Object.fromEntries(Object.entries(durations).filter(([, value]) => value !== undefined));
  const hasSettings = flags.healthCmd !== undefined || Object.keys(given).length > 0;
  if (flags.noHealthcheck) {
    if (hasSettings) throw new RangeError('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!hasSettings) return undefined;
  const names = {
    Interval: 'interval',
    Timeout: 'timeout',
    StartPeriod: 'start-period',
    StartInterval: 'start-interval',
    Retries: 'retries',
  };
  for (const [key, name] of Object.entries(names)) {
    if ((given[key] ?? 0) < 0) throw new RangeError(`--health-${name} cannot be negative`);
  }
  return { ...(flags.healthCmd ? { Test: ['CMD-SHELL', flags.healthCmd] } : {}), ...given };
}
