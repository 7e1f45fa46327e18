import type { Parts } from '../../containers/parts.ts';
import { eventPasses, type PublishedEvent } from '../../events/events.ts';
import { invalid } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import { type Instant, parseInstant, parseUnixTime } from '../../model/time.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { gated } from '../version-gates.ts';
import { eventStreamType, jsonSequence, recordSeparator } from './event-stream-type.ts';

/** More than this unsent means that the client has stopped reading: it is cut off, and can ask again with `since`. */
const maxUnsentBytes = 8 * 1024 * 1024;

export function eventsRoute(parts: Parts): Route {
  return { method: 'GET', path: '/events', handle: (exchange) => streamEvents(parts, exchange) };
}

/** Past events since `since`, then those that come, until `until` or until the client goes. The status line is sent at once. */
async function streamEvents(parts: Parts, exchange: Exchange): Promise<void> {
  // dockerd passes over those that it does not know, here alone.
  const filters = parseFilters(exchange.query.get('filters'), null);
  const since = timeOf(exchange, 'since');
  const until = timeOf(exchange, 'until');
  if (since !== null && until !== null && since > until)
    throw invalid(
      `\`since\` time (${exchange.query.get('since') ?? ''}) cannot be after \`until\` time (${exchange.query.get('until') ?? ''})`,
    );
  const type = eventStreamType(exchange.version, exchange.request.headers.accept ?? '');
  const response = exchange.startStream(type);
  const send = (event: PublishedEvent): void => {
    if (!eventPasses(event, filters)) return;
    response.write(`${type === jsonSequence ? recordSeparator : ''}${eventText(event, exchange)}`);
    if (response.writableLength > maxUnsentBytes) response.destroy();
  };
  for (const event of parts.events.replay({ since, until })) send(event);
  const remainingMs = until === null ? null : Number((until - parts.now()) / 1_000_000n);
  if (remainingMs === null || remainingMs > 0) {
    using _subscription = parts.events.subscribe(send);
    await untilEnd(exchange.signal, remainingMs);
  }
  response.end();
}

function untilEnd(signal: AbortSignal, remainingMs: number | null): Promise<void> {
  return new Promise((resolve) => {
    const timer = remainingMs === null ? null : setTimeout(resolve, Math.min(remainingMs, 2 ** 31 - 1));
    signal.addEventListener('abort', () => {
      if (timer !== null) clearTimeout(timer);
      resolve();
    });
  });
}

/** `timeNano` has more digits than a double holds, so it is put into the text as it is. Older clients get the old names too. */
function eventText(event: PublishedEvent, exchange: Exchange): string {
  const { type, action, actorId, attributes, at } = event;
  const shown = {
    ...(type === 'container' || type === 'image' ? { status: action, id: actorId } : {}),
    ...(type === 'container' ? { from: attributes['image'] ?? '' } : {}),
    Type: type,
    Action: action,
    Actor: { ID: actorId, Attributes: attributes },
    scope: 'local',
    time: Number(at / 1_000_000_000n),
  };
  const text = JSON.stringify(gated('event', exchange.version, shown));
  return `${text.slice(0, -1)},"timeNano":${at}}\n`;
}

function timeOf(exchange: Exchange, name: string): Instant | null {
  const text = exchange.query.get(name);
  if (text === null || text === '') return null;
  const time = parseUnixTime(text) ?? parseInstant(text);
  if (time === null) throw invalid(`invalid value for "${name}": "${text}"`);
  return time;
}
