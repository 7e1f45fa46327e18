/** What the engine does of itself with a container: restart it, probe its health. */
import type { HealthcheckSpec, RestartPolicySpec } from '../../../containers/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';

export function readRestartPolicy(host: Fields): RestartPolicySpec {
  const policy = host.object('RestartPolicy');
  const name = policy.text('Name') || 'no';
  if (name === 'no') return { name };
  throw invalid(`invalid restart policy: unknown policy '${name}'`);
}

/** `disabled`: `Test` is `NONE`. Null: nothing is said. */
export function readHealthcheck(_config: Fields): Partial<HealthcheckSpec> | 'disabled' | null {
  return null;
}
