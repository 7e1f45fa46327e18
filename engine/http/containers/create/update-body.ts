import type { ContainerUpdate } from '../../../containers/life/update.ts';
import { Fields } from '../../fields.ts';
import { readRestartPolicy } from './policies.ts';
import { readResources } from './resources.ts';

/** `POST /containers/{id}/update`: the limits of a create's `HostConfig`, and its restart policy. A policy without a name says nothing. */
export function readUpdateBody(body: Record<string, unknown>): ContainerUpdate {
  const config = new Fields('UpdateConfig', body);
  const isPolicyGiven = config.object('RestartPolicy').text('Name') !== '';
  const restartPolicy = readRestartPolicy(config);
  return { resources: readResources(config), restartPolicy: isPolicyGiven ? restartPolicy : null };
}
