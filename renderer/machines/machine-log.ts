import type { LogSource } from '../logs/LogFollower.svelte.ts';
import type { Session } from '../session/Session.svelte.ts';

const capacity = 5_000;

/** What a machine writes to its console. */
export function machineLog(options: { readonly session: Session; readonly name: string }): LogSource {
  const { session, name } = options;
  return {
    capacity,
    pause: (ms, signal) => session.pause(ms, signal),
    open: async function* (signal) {
      const items = session.follow((client, stop) => client.machines.serialLog({ name }, { signal: stop }), signal);
      for await (const { text } of items) yield [{ stream: 'stdout', time: null, text }];
    },
  };
}
