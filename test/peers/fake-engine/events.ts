import { EventEmitter } from 'node:events';
import type { EngineEvent } from '../../../api/events.ts';
import type { FakeContainer } from './container.ts';

type Filters = ReadonlyMap<string, readonly string[]>;

/** The event journal of the fake engine: remembers all, tells listeners of each. */
export class FakeEvents {
  readonly all: EngineEvent[] = [];
  readonly #emitter = new EventEmitter<{ event: [EngineEvent] }>().setMaxListeners(0);

  container(action: string, container: FakeContainer, attributes: Readonly<Record<string, string>> = {}): void {
    const own = { ...container.body.Labels, image: container.body.Image ?? '', name: container.name };
    this.emit({
      Type: 'container',
      Action: action,
      Actor: { ID: container.id, Attributes: { ...own, ...attributes } },
    });
  }

  emit(event: Pick<EngineEvent, 'Type' | 'Action' | 'Actor'>): void {
    const timeMs = performance.timeOrigin + performance.now();
    const whole: EngineEvent = { ...event, scope: 'local', time: Math.floor(timeMs / 1000), timeNano: timeMs * 1e6 };
    this.all.push(whole);
    this.#emitter.emit('event', whole);
  }

  listen(listener: (event: EngineEvent) => void): Disposable {
    this.#emitter.on('event', listener);
    return { [Symbol.dispose]: () => void this.#emitter.off('event', listener) };
  }
}

export function matchesEvent(event: EngineEvent, filters: Filters): boolean {
  for (const [key, values] of filters) {
    const isMatch = (value: string): boolean => {
      switch (key) {
        case 'type':
          return event.Type === value;
        case 'event':
          return event.Action === value || event.Action.startsWith(`${value}:`);
        case 'container':
          return event.Actor.ID.startsWith(value) || event.Actor.Attributes['name'] === value;
        case 'image':
          return event.Actor.Attributes['image'] === value;
        case 'label':
          return matchesLabel(event.Actor.Attributes, value);
        default:
          return false;
      }
    };
    if (key === 'label' ? !values.every(isMatch) : !values.some(isMatch)) return false;
  }
  return true;
}

export function matchesLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', ...value] = wanted.split('=');
  return key in labels && (value.length === 0 || labels[key] === value.join('='));
}
