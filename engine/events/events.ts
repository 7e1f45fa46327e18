import type { EngineEvent } from '../../api/events.ts';
import { type Filters, passes, passesLabels } from '../model/filters.ts';
import type { Instant } from '../model/time.ts';

export interface PublishedEvent {
  readonly type: EngineEvent['Type'];
  readonly action: string;
  readonly actorId: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly at: Instant;
}

export type NewEvent = Omit<PublishedEvent, 'at'>;

/** How many past events a client may ask for with `since`: as many as dockerd keeps. */
const keptEvents = 256;

/** What happens in the engine, for those who watch: publish, replay the recent past, subscribe. */
export class Events {
  readonly #now: () => Instant;
  readonly #recent: PublishedEvent[] = [];
  readonly #listeners = new Set<(event: PublishedEvent) => void>();

  constructor(now: () => Instant) {
    this.#now = now;
  }

  publish(event: NewEvent): void {
    const published = { ...event, at: this.#now() };
    this.#recent.push(published);
    if (this.#recent.length > keptEvents) this.#recent.shift();
    for (const listener of this.#listeners) listener(published);
  }

  /** Events of the recent past within the bounds, oldest first. */
  replay(bounds: { readonly since: Instant | null; readonly until: Instant | null }): readonly PublishedEvent[] {
    const { since, until } = bounds;
    if (since === null) return [];
    return this.#recent.filter((event) => event.at >= since && (until === null || event.at <= until));
  }

  subscribe(listener: (event: PublishedEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

/** Filters that look at who it happened to, whatever that is: moby's filter does not ask for the kind. */
const actorKeys = ['config', 'container', 'daemon', 'network', 'node', 'plugin', 'secret', 'service', 'volume'];

/** Docker's rules: keys AND, values of a key OR, labels AND; actors by the beginning of their id or name. */
export function eventPasses(event: PublishedEvent, filters: Filters): boolean {
  const { type, action, actorId, attributes } = event;
  const name = attributes['name'] ?? '';
  const isActor = (value: string): boolean => actorId.startsWith(value) || name.startsWith(value);
  const images = type === 'image' ? [actorId, name] : [attributes['image'] ?? ''];
  return (
    passes(filters, 'type', (value) => value === type) &&
    passes(filters, 'event', (value) => action === value || action.startsWith(`${value}:`)) &&
    passes(filters, 'scope', (value) => value === 'local') &&
    actorKeys.every((key) => passes(filters, key, isActor)) &&
    passes(filters, 'image', (value) => images.some((image) => image === value || withoutTag(image) === value)) &&
    passesLabels(filters, attributes)
  );
}

function withoutTag(reference: string): string {
  return reference.replace(/:[^:/]*$/, '');
}
