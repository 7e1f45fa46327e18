import type { Operation } from '../progress.ts';
import { dockerHost } from '../store/home.ts';
import type { MachineDocument } from '../store/machine-document.ts';
import { documentVersion } from '../store/machine-document.ts';
import type { MachineName } from '../store/machine-name.ts';
import { endAgent } from './agent-process.ts';
import { keysIfThere, withoutKeys } from './machine-keys.ts';
import { MachineSession, quietRun } from './machine-session.ts';
import type { MachinesContext } from './machines-context.ts';

/**
 * Removes all that was made for a machine, in whatever state it is: what its driver made, its agent, its docker context, and
 * last its folder, so that a removal that is cut off can be repeated. The caller holds the lock. Resolves with what a forced
 * removal passed over, null when there was nothing.
 */
export async function removeMachine(
  context: MachinesContext,
  options: { readonly name: MachineName; readonly operation: Operation; readonly isForced: boolean },
): Promise<unknown> {
  let trouble: unknown = null;
  const { store, drivers } = context;
  const { name, operation } = options;
  const paths = store.machine(name);
  const document = await readable(context, name);
  const driver = document === null ? undefined : drivers.get(document.driver);
  if (document !== null && driver !== undefined) {
    const secrets = await context.secretsOf(driver, paths);
    const session = new MachineSession({ store, driver, name, document, secrets });
    await session.change({ lifecycle: { phase: 'removing', error: null } });
    try {
      await driver.remove(session.driverMachine(await keysIfThere(paths)), quietRun(operation));
    } catch (error) {
      await session.change({
        lifecycle: { phase: 'removing', error: error instanceof Error ? error.message : String(error) },
      });
      // Forgetting it is what the user wants then; what stays behind is named in the error that is told.
      if (!options.isForced) throw error;
      trouble = error;
    }
  } else {
    // Nobody knows whose it was; drivers that run on this computer find their processes by the folder alone.
    for (const local of drivers.values()) {
      if (local.capabilities.place !== 'this-computer') continue;
      const session = new MachineSession({ store, driver: local, name, document: emptyDocument(name, local.name) });
      await local.remove(session.driverMachine(withoutKeys), quietRun(operation));
    }
  }
  await endAgent(paths);
  await context.contexts.remove({ name, folder: paths.folder, dockerHost: dockerHost(paths.dockerSocket) });
  await context.keptSecrets.erase(paths);
  await store.removeFolders(name);
  return trouble;
}

/** Null for a document that is absent or cannot be read: removing must work then too. */
async function readable(context: MachinesContext, name: MachineName): Promise<MachineDocument | null> {
  try {
    return await context.store.read(name);
  } catch {
    return null;
  }
}

function emptyDocument(name: MachineName, driver: string): MachineDocument {
  return {
    version: documentVersion,
    name,
    driver,
    createdAt: new Date(0).toISOString(),
    id: '0'.repeat(32),
    settings: {},
    lifecycle: { phase: 'removing', error: null },
    driverMemory: {},
    facts: {},
    resources: [],
    engine: null,
    dockerContext: null,
  };
}
