import type { Parts } from '../../containers/parts.ts';
import { familiarName, familiarReference, parseReference, type Reference } from '../../images/reference.ts';
import { parseWantedPlatform } from '../../images/wanted-platform.ts';
import { EngineError, invalid } from '../../model/errors.ts';
import { parseDigest } from '../../model/ids.ts';
import { parseRegistryAuth } from '../../registry/registry-auth.ts';
import type { Pulls } from '../../transfer/pulls.ts';
import type { Exchange } from '../exchange.ts';
import { streamProgress } from '../progress-stream.ts';

/** `POST /images/create?fromImage=…`. The pull ends when the client goes, unless another waits for the same layers. */
export async function pullImage(parts: Parts, pulls: Pulls, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const reference = wantedReference(query.get('fromImage') ?? '', query.get('tag') ?? '');
  const platform = parseWantedPlatform(query.get('platform') ?? '');
  const credentials = parseRegistryAuth(exchange.request.headers['x-registry-auth']);
  const messages = pulls.pull({ reference, platform, credentials, signal });
  const shown = familiarReference(reference);
  const outcome = await streamProgress(exchange, messages, (error) =>
    parts.log.warn('an image could not be pulled', { image: shown, error }),
  );
  if (outcome === 'complete') publishTransfer(parts, 'pull', reference);
}

/** Docker's events of a transfer are named by the reference, not by the image's id. */
export function publishTransfer(parts: Parts, action: 'pull' | 'push', reference: Reference): void {
  const shown = familiarReference(reference);
  const labels = labelsOf(parts, shown);
  parts.events.publish({
    type: 'image',
    action,
    actorId: shown,
    attributes: { ...labels, name: familiarName(reference) },
  });
}

/** `tag` may be a digest; one that is given beats the name's own. */
export function wantedReference(name: string, tag: string): Reference {
  const reference = parseReference(name.replace(/:$/, ''));
  if (tag === '') return reference;
  if (tag.includes(':')) return { ...reference, tag: null, digest: parseDigest(tag) };
  if (!/^\w[\w.-]{0,127}$/.test(tag)) throw invalid('invalid tag format');
  return { ...reference, tag };
}

/** Of the image that the name stands on now; none for a repository without a tag. */
function labelsOf(parts: Parts, shown: string): Readonly<Record<string, string>> {
  try {
    return parts.images.resolve(shown).config.run.labels;
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'not-found') return {};
    throw error;
  }
}
