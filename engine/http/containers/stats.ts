import type { StatsSample } from '../../../api/stats.ts';
import type { Container } from '../../containers/container.ts';
import type { Parts } from '../../containers/parts.ts';
import { liveState } from '../../containers/state.ts';
import { invalid } from '../../model/errors.ts';
import { never, parseInstant } from '../../model/time.ts';
import { emptySample } from '../../stats/stats.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

/** A client that does not read is not sent more than this; it sees fewer samples. */
const mostWaitingBytes = 64 * 1024;

export function statsRoute(parts: Parts): Route {
  return {
    method: 'GET',
    path: '/containers/:id/stats',
    handle: (exchange) => stats(parts, exchange, parts.directory.find(exchange.param('id'))),
  };
}

async function stats(parts: Parts, exchange: Exchange, container: Container): Promise<void> {
  const isStream = exchange.query.get('stream') === null || exchange.flag('stream');
  const isOneShot = exchange.isSince('1.41') && exchange.flag('one-shot');
  if (isStream && isOneShot) throw invalid('cannot have stream=true and one-shot=true');
  if (isStream) return await stream(parts, exchange, container);
  if (isOneShot || liveState(container.state) === null) return exchange.json(200, parts.stats.once(container));
  exchange.json(200, await second(parts, container, exchange.signal));
}

/** What is less than this apart says little about how busy a processor is: others may have had the timer run already. */
const leastApartNs = 500_000_000n;

/** The first sample that has one before it; the empty one when the container ends meanwhile. */
async function second(parts: Parts, container: Container, signal: AbortSignal): Promise<StatsSample> {
  const sampled = Promise.withResolvers<StatsSample>();
  using _watch = parts.stats.watch(container, (sample) => {
    const before = parseInstant(sample.preread) ?? 0n;
    const isFirst = sample.preread === never;
    if (!isFirst && (parseInstant(sample.read) ?? 0n) - before >= leastApartNs) sampled.resolve(sample);
  });
  using _ending = container.watch(() => {
    if (liveState(container.state) === null) sampled.resolve(emptySample(container));
  });
  signal.addEventListener('abort', () => sampled.resolve(emptySample(container)), { once: true });
  return await sampled.promise;
}

/** Until the client leaves or the container is removed. */
async function stream(parts: Parts, exchange: Exchange, container: Container): Promise<void> {
  const response = exchange.startStream('application/json');
  using _watch = parts.stats.watch(container, (sample) => {
    if (response.writableLength < mostWaitingBytes) response.write(`${JSON.stringify(sample)}\n`);
  });
  try {
    await container.wait('removed', exchange.signal);
    response.end();
  } catch (error) {
    if (!exchange.signal.aborted) throw error;
  }
}
