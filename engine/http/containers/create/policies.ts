/** What the engine does of itself with a container: restart it, probe its health. */
import type { HealthcheckSpec, RestartPolicySpec } from '../../../containers/spec.ts';
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

/** `disabled`: `Test` is `NONE`. Null: nothing is said. */
export function readHealthcheck(_config: Fields): Partial<HealthcheckSpec> | 'disabled' | null {
  return null;
}
