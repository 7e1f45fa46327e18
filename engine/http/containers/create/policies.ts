/** What the engine does of itself with a container: restart it, probe its health. */
import type { HealthcheckSpec, RestartPolicySpec } from '../../../containers/spec/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';

/** Source: moby's validateRestartPolicy, whose words these are. */
export function readRestartPolicy(host: Fields): RestartPolicySpec {
  const policy = host.object('RestartPolicy');
  const name = policy.text('Name') || 'no';
  const maxRetries = policy.integer('MaximumRetryCount') ?? 0;
  if (name !== 'no' && host.flag('AutoRemove'))
    throw invalid("can't create 'AutoRemove' container with restart policy");
  if (name === 'no' || name === 'always' || name === 'unless-stopped') {
    if (maxRetries === 0) return { name };
    const message = `invalid restart policy: maximum retry count can only be used with 'on-failure'`;
    throw invalid(maxRetries < 0 ? `${message} and cannot be negative` : message);
  }
  if (name !== 'on-failure') {
    throw invalid(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (maxRetries < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative');
  return { name, maxRetries };
}

/** Null: nothing is said. */
export function readHealthcheck(config: Fields): HealthcheckSpec | null {
  if (!config.isGiven('Healthcheck')) return null;
  const check = config.object('Healthcheck');
  const retries = check.integer('Retries') ?? 0;
  const durations = {
    intervalNs: atLeastMillisecond(check, 'Interval'),
    timeoutNs: atLeastMillisecond(check, 'Timeout'),
  };
  if (retries < 0) throw invalid('Retries in Healthcheck cannot be negative');
  return {
    test: check.texts('Test'),
    ...durations,
    startPeriodNs: atLeastMillisecond(check, 'StartPeriod'),
    startIntervalNs: atLeastMillisecond(check, 'StartInterval'),
    retries,
  };
}

function atLeastMillisecond(check: Fields, name: string): number {
  const nanoseconds = check.integer(name) ?? 0;
  if (nanoseconds !== 0 && nanoseconds < 1e6) throw invalid(`${name} in Healthcheck cannot be less than 1ms`);
  return nanoseconds;
}
