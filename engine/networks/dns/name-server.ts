import type { ContainerId } from '../../model/ids.ts';
import type { NamedContainer } from './named-container.ts';

/**
 * The names of containers, as skiffd looks after them. The work is done by a process that outlives skiffd; it is started
 * with the first container that has a name, and a lost one is started again with all that is known.
 *
 *     await names.restore(running containers);        // once, at boot
 *     await names.put(container);                     // its network is real, its program not started yet
 *     …                                               // again after connect, disconnect, rename
 *     names.drop(container.id);                       // its namespace lives until the resolver has let it go
 */
export interface NameServer extends AsyncDisposable {
  /** Takes over the process that an earlier skiffd left, and tells it who still runs. Starts none when nobody does. */
  restore(containers: readonly NamedContainer[]): Promise<void>;
  /** In place of what was said of that container before. Resolves when its resolver answers. Throws `internal` with the reason when it cannot. */
  put(container: NamedContainer): Promise<void>;
  /** At once for all later calls; nobody has to wait for it. Does nothing for one that is not known. */
  drop(id: ContainerId): void;
  /** Ends the process: with the engine's other traces. */
  end(): Promise<void>;
  /** Has the process started in good time; failures are told at the first `put`. */
  prepare(): void;
}
