import { setTimeout as delay } from 'node:timers/promises';
import { EngineClient } from '../../client/engine-client.ts';
import type { Dial } from '../../client/dial.ts';
import type { PublishedPort } from './published-ports.ts';
import { publishedPorts } from './published-ports.ts';

/**
 * Follows an engine's events and tells, after each that can change it, which ports are published. The events are listened to
 * before the first list is asked for, so nothing falls between; when their stream ends, all begins again.
 */
export async function followPublishedPorts(options: {
  readonly dial: Dial;
  readonly signal: AbortSignal;
  readonly onPorts: (ports: readonly PublishedPort[]) => void;
  readonly onFailure: (error: Error) => void;
}): Promise<void> {
  const { dial, signal, onPorts, onFailure } = options;
  while (!signal.aborted) {
    try {
      using engine = new EngineClient(dial);
      using events = await engine.events({ filters: { type: ['container'] } }, { signal });
      const ports = new Map<string, readonly PublishedPort[]>();
      for (const container of await engine.containers.list({}, { signal })) {
        ports.set(container.Id, publishedPorts(container));
      }
      const tell = (): void => onPorts([...ports.values()].flat());
      tell();
      for await (const { Action, Actor } of events) {
        switch (Action) {
          case 'start':
          case 'restart': {
            const [container] = await engine.containers.list({ filters: { id: [Actor.ID] } }, { signal });
            if (container === undefined) ports.delete(Actor.ID);
            else ports.set(container.Id, publishedPorts(container));
            tell();
            break;
          }
          case 'die':
          case 'destroy':
            if (ports.delete(Actor.ID)) tell();
            break;
          default:
            break;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error instanceof Error ? error : new Error(String(error)));
    }
    // The engine restarts, or the connection does; both take a moment.
    await delay(500, undefined, { signal }).catch(() => undefined);
  }
}
