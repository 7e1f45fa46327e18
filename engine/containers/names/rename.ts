import { EngineError, invalid } from '../../model/errors.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import { withDnsNames } from '../network/endpoints.ts';
import { followNetworks } from './names.ts';
import type { Parts } from '../parts.ts';
import { liveState } from '../state.ts';

/** Gives it another name, running or not. Throws `invalid` for the one that it has and for what is no name, `conflict` for another's. */
export async function renameContainer(parts: Parts, container: Container, given: string): Promise<void> {
  const { directory, rows } = parts;
  if (given === '') throw invalid('Neither old nor new names may be empty');
  const slashed = given.startsWith('/') ? given : `/${given}`;
  await container.queue.run(async () => {
    const oldName = `/${container.name}`;
    if (slashed === oldName) throw invalid('Renaming a container with the same name as its current name');
    using reserved = reserve(parts, container, slashed);
    rows.rename(container.id, reserved.name);
    directory.rename(container, reserved.name);
    await renameInNetworks(parts, container);
    publishContainerEvent(parts, container, 'rename', { oldName });
  });
}

/** Others find it by the new name from now on, and no longer by the old one. */
async function renameInNetworks(parts: Parts, container: Container): Promise<void> {
  const live = liveState(container.state);
  if (live === null) return;
  const { spec, id } = container;
  const plan = withDnsNames(container, live.endpoint);
  parts.rows.changeNetworks(id, { spec, state: { ...live, endpoint: plan } }, null);
  container.changeNetworks(plan);
  parts.networks.rename(plan);
  await followNetworks(parts, container, { before: live.endpoint, after: plan });
}

function reserve(
  { directory }: Pick<Parts, 'directory'>,
  container: Container,
  name: string,
): ReturnType<Parts['directory']['reserve']> {
  try {
    return directory.reserve(name, container.id);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError(error.kind, `Error when allocating new name: ${error.message}`, { cause: error });
  }
}
