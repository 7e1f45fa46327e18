import type { ProgressMessage } from '../../../api/images.ts';
import type { Parts } from '../../containers/parts.ts';
import { parsePlatformDocument, type WantedPlatform } from '../../images/wanted-platform.ts';
import type { Exchange } from '../exchange.ts';
import { writeFleeting } from '../fleeting-bytes.ts';
import { streamProgress } from '../progress-stream.ts';
import { publishImageEvent } from './events.ts';

/** What goes wrong after the first byte ends the connection: an archive that ends early must not look whole. */
export async function saveImages(
  { images, events }: Parts,
  exchange: Exchange,
  names: readonly string[],
): Promise<void> {
  const platforms = platformsOf(exchange);
  const saved = await images.save(names, { platforms, signal: exchange.signal });
  const bytes = saved.bytes[Symbol.asyncIterator]();
  const first = await bytes.next();
  const response = exchange.startStream('application/x-tar');
  try {
    for (let next = first; next.done !== true; next = await bytes.next())
      await writeFleeting(response, next.value, exchange.signal);
  } catch (error) {
    response.destroy();
    throw error;
  } finally {
    await bytes.return?.();
  }
  response.end();
  for (const id of saved.images) {
    const image = images.get(id);
    if (image !== null) publishImageEvent(events, 'save', image, id);
  }
}

export async function loadImages({ images, events, log }: Parts, exchange: Exchange): Promise<void> {
  const platforms = platformsOf(exchange);
  const isQuiet = exchange.flag('quiet');
  const messages = images.load(exchange.request, {
    signal: exchange.signal,
    platforms,
    onLoaded: (id) => publishImageEvent(events, 'load', images.resolve(id), id),
  });
  async function* shown(): AsyncGenerator<ProgressMessage, void, void> {
    for await (const message of messages) if (!isQuiet || message.stream !== undefined) yield message;
  }
  await streamProgress(exchange, shown(), (error) => log.warn('an image could not be loaded', { error }));
}

function platformsOf({ query }: Exchange): readonly WantedPlatform[] {
  return query
    .getAll('platform')
    .filter((text) => text !== '')
    .map(parsePlatformDocument);
}
