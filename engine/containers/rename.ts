import { EngineError, invalid } from '../model/errors.ts';
import type { Container } from './container.ts';
import { publishContainerEvent } from './container-events.ts';
import type { Parts } from './parts.ts';

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
    publishContainerEvent(parts, container, 'rename', { oldName });
    await Promise.resolve();
  });
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
