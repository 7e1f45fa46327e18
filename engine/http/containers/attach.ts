import { pipeline } from 'node:stream/promises';
import type { Container } from '../../containers/container.ts';
import { publishContainerEvent } from '../../containers/container-events.ts';
import type { Parts } from '../../containers/parts.ts';
import { conflict, EngineError } from '../../model/errors.ts';
import type { StreamName } from '../../monitor/monitor.ts';
import type { Exchange } from '../exchange.ts';
import { hijack } from '../hijack.ts';
import type { Route } from '../router.ts';

/** Joins the client's connection to the container's streams, which the monitor holds; the engine only passes bytes on. */
export function attachRoute(parts: Parts): Route {
  return {
    method: 'POST',
    path: '/containers/:id/attach',
    hijacks: true,
    handle: (exchange) => attach(parts, exchange, parts.directory.find(exchange.param('id'))),
  };
}

async function attach(parts: Parts, exchange: Exchange, container: Container): Promise<void> {
  const { state, spec, id } = container;
  if (state.status === 'removing' || state.status === 'dead') throw conflict(`container ${id} is marked for removal`);
  if (exchange.flag('logs'))
    throw new EngineError(
      'not-implemented',
      'attach with logs=1 is not there yet in this version of the Skiff engine: read the logs first',
    );
  const wants = wantedStreams(exchange);
  if (!exchange.flag('stream')) {
    hijack(exchange, { isFramed: !spec.process.hasTerminal }).end();
    return;
  }
  // Before the status line: a client that sees it may start the container at once, and must not lose the first byte.
  // `docker run image | slow` attaches before the start: it is the container's pipe, and loses nothing. Who attaches to a
  // running container only looks on, and must not hold it up.
  const whenSlow = state.status === 'running' ? 'drop' : 'wait';
  await using attachment = await parts.monitor.attach({ id, wants, whenSlow });
  const connection = hijack(exchange, { isFramed: !spec.process.hasTerminal });
  publishContainerEvent(parts, container, 'attach');
  if (wants.includes('stdin')) {
    // The end of the client's input goes on as an end of input; a client that vanishes must not look like one that is done.
    pipeline(connection, attachment.stream, { end: true }).catch((error: unknown) => {
      parts.log.debug('attach: input ended', { container: id, error });
      attachment.stream.destroy();
    });
  } else connection.resume();
  try {
    await pipeline(attachment.stream, connection);
  } catch (error) {
    parts.log.debug('attach: output ended', { container: id, error });
  }
}

function wantedStreams(exchange: Exchange): readonly StreamName[] {
  return (['stdin', 'stdout', 'stderr'] as const).filter((stream) => exchange.flag(stream));
}
