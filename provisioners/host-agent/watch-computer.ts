import { networkInterfaces } from 'node:os';

/**
 * What happens to this computer that its connections do not survive, or may not, and that nothing tells them of: it slept, or it is in
 * another network. Neither has an event that all systems have, so it is looked at, which costs some microseconds.
 */
export type ComputerChange = 'slept' | 'network';

export interface WatchOptions {
  readonly everyMs?: number;
  readonly clock?: () => number;
  readonly addresses?: () => string;
}

const defaultEveryMs = 5_000;
/** A timer that comes so much later than it should was not merely late. */
const sleepMs = 5_000;

export function watchComputer(onChange: (change: ComputerChange) => void, options: WatchOptions = {}): Disposable {
  const { everyMs = defaultEveryMs, clock = () => Date.now(), addresses = ownAddresses } = options;
  let before = clock();
  let known = addresses();
  const timer = setInterval(() => {
    const now = clock();
    if (now - before > everyMs + sleepMs) onChange('slept');
    before = now;
    const current = addresses();
    if (current !== known) onChange('network');
    known = current;
  }, everyMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Those of a link alone (fe80::) come and go with each container of this computer, and lead nowhere. */
function ownAddresses(): string {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address)
    .sort()
    .join(' ');
}
