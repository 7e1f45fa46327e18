import type { Parts } from '../../containers/parts.ts';
import { assertPlatform, parsePlatformDocument } from '../../images/wanted-platform.ts';
import { familiarReference } from '../../images/reference.ts';
import { parseRegistryAuth } from '../../registry/registry-auth.ts';
import type { Pushes } from '../../transfer/pushes.ts';
import type { Exchange } from '../exchange.ts';
import { streamProgress } from '../progress-stream.ts';
import { publishTransfer, wantedReference } from './pull.ts';

/** `POST /images/{name}/push`. */
export async function pushImage(parts: Parts, pushes: Pushes, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const reference = wantedReference(exchange.param('name'), query.get('tag') ?? '');
  const shown = familiarReference(reference);
  const platform = query.get('platform') ?? '';
  // An image of this engine is of one platform: that one can be pushed.
  if (platform !== '')
    assertPlatform(parts.images.resolve(shown).config, { platform: parsePlatformDocument(platform), name: shown });
  const credentials = parseRegistryAuth(exchange.request.headers['x-registry-auth']);
  const messages = pushes.push({ reference, credentials, signal });
  const outcome = await streamProgress(exchange, messages, (error) =>
    parts.log.warn('an image could not be pushed', { image: shown, error }),
  );
  if (outcome === 'complete') publishTransfer(parts, 'push', reference);
}
