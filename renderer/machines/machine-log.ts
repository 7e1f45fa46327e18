import type { MachineLogSource } from '../../desktop/contract/machines.ts';
import type { LogSource } from '../logs/LogFollower.svelte.ts';
import type { Session } from '../session/Session.svelte.ts';

const capacity = 5_000;

/** One of a machine's logs, from its end on. */
export function machineLog(options: {
  readonly session: Session;
  readonly name: string;
  readonly source: MachineLogSource;
}): LogSource {
  const { session, name, source } = options;
  return {
    capacity,
    pause: (ms, signal) => session.pause(ms, signal),
    open: async function* (signal) {
      const items = session.follow((client, stop) => client.machines.log({ name, source }, { signal: stop }), signal);
      for await (const { text } of items) yield [{ stream: 'stdout', time: null, text }];
    },
  };
}
