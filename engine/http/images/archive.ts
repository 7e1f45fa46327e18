import { once } from 'node:events';
import type { ProgressMessage } from '../../../api/images.ts';
import type { Parts } from '../../containers/parts.ts';
import { parsePlatformDocument } from '../../images/wanted-platform.ts';
import type { Exchange } from '../exchange.ts';

/** What goes wrong after the first byte ends the connection: an archive that ends early must not look whole. */
export async function saveImages(
  { images, events }: Parts,
  exchange: Exchange,
  names: readonly string[],
): Promise<void> {
  const platforms = exchange.query
    .getAll('platform')
    .filter((text) => text !== '')
    .map(parsePlatformDocument);
  const saved = await images.save(names, { platforms, signal: exchange.signal });
  const bytes = saved.bytes[Symbol.asyncIterator]();
  const first = await bytes.next();
  const response = exchange.startStream('application/x-tar');
  try {
    for (let next = first; next.done !== true; next = await bytes.next())
      if (!response.write(next.value)) await once(response, 'drain', { signal: exchange.signal });
  } catch (error) {
    response.destroy();
    throw error;
  } finally {
    await bytes.return?.();
  }
  response.end();
  for (const id of saved.images)
    events.publish({ type: 'image', action: 'save', actorId: id, attributes: { name: id } });
}

/** Errors before the first message have a status of their own; later ones stand in the stream, as docker's clients expect. */
export async function loadImages(parts: Parts, exchange: Exchange): Promise<void> {
  const messages = parts.images.load(exchange.request, { signal: exchange.signal });
  const first = await messages.next();
  const response = exchange.startStream('application/json');
  const isQuiet = exchange.flag('quiet');
  const send = (message: object): void => void response.write(`${JSON.stringify(message)}\r\n`);
  try {
    for (let next = first; next.done !== true; next = await messages.next()) {
      publishLoaded(parts, next.value);
      if (!isQuiet || next.value.stream !== undefined) send(next.value);
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    parts.log.warn('an image could not be loaded', { error });
    send({ errorDetail: { message }, error: message });
  }
  response.end();
}

function publishLoaded(parts: Parts, message: ProgressMessage): void {
  const name = /^Loaded image: (\S+)\n$/.exec(message.stream ?? '')?.[1];
  if (name === undefined) return;
  parts.events.publish({ type: 'image', action: 'load', actorId: parts.images.resolve(name).id, attributes: { name } });
}
