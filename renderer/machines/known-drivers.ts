import type { Driver } from '../../desktop/contract/drivers.ts';
import { fetched, type Fetched } from '../session/Fetched.svelte.ts';
import type { Session } from '../session/Session.svelte.ts';

/** What machines can be made with here, for a component that is being made. */
export function knownDrivers(session: Session): Fetched<readonly Driver[]> {
  return fetched({
    canAsk: () => session.line.kind === 'open',
    ask: async () => (await session.client.machines.drivers()).drivers,
  });
}
