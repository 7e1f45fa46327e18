import type { Duplex } from 'node:stream';
import type { ShareList } from '../../api/shares/shares.ts';
import type { ContainerId } from '../model/ids.ts';
import type { Found } from './wire.ts';

export type { Found } from './wire.ts';

/**
 * Folders of the user's computer in the machine. They are told by the host agent (`configure`), which also brings the stream that their
 * files come over (`attach`); containers bind them by the paths that they have on that computer:
 *
 *     if (shares.isShared('/home/me/src')) {
 *       const { path } = await shares.hold(id, '/home/me/src', 'make');   // bind this; hears of changes from now on
 *       …
 *       shares.letGo(id);
 *     }
 *
 * Nothing in skiffd may touch a file below such a path itself: the answer comes through skiffd.
 */
export interface Shares extends AsyncDisposable {
  readonly list: ShareList;
  /** Durable when it resolves. */
  configure(list: ShareList): Promise<void>;
  /** Takes the stream over, in the place of the one before; resolves when it has ended. */
  attach(stream: Duplex): Promise<void>;
  /** Whether a bind's source lies in what is shared. */
  isShared(source: string): boolean;
  /**
   * Where the machine has it; links are followed as on the user's computer. Throws `invalid` for what is missing or leads out of what is
   * shared, `unavailable` when that computer cannot be reached.
   */
  find(source: string, whenMissing: 'make' | 'fail'): Promise<Found>;
  /** The same for a container that is being started, which hears of changes until `letGo`. */
  hold(id: ContainerId, source: string, whenMissing: 'make' | 'fail'): Promise<Found>;
  letGo(id: ContainerId): void;
  /** After a start of skiffd: sources of the containers that run. */
  restore(held: ReadonlyMap<ContainerId, readonly string[]>): Promise<void>;
  /** Takes everything away that it made. */
  end(): Promise<void>;
}
