import type { LogSource } from '../logs/LogFollower.svelte.ts';
import type { Session } from '../session/Session.svelte.ts';

/** Lines that the page holds and asks for at first; the core holds the rest. */
const capacity = 20_000;
const firstTail = 5_000;

export function containerLog(options: {
  readonly session: Session;
  readonly machine: string;
  readonly id: string;
}): LogSource {
  const { session, machine, id } = options;
  return {
    capacity,
    pause: (ms, signal) => session.pause(ms, signal),
    open: async function* (signal) {
      const items = session.follow(
        (client, stop) => client.logs.open({ machine, id, tail: firstTail }, { signal: stop }),
        signal,
      );
      for await (const { lines } of items) {
        yield lines.map(({ stream, text, time, isPartial }) => ({
          stream,
          time,
          text: isPartial ? text : `${text}\n`,
        }));
      }
    },
  };
}
