import type { Parts } from '../../containers/parts.ts';
import { importImage as importFrom } from '../../images/import-image.ts';
import { downloaded } from '../../images/import-source.ts';
import { familiarReference, parseReference } from '../../images/reference.ts';
import { parseWantedPlatform, type WantedPlatform } from '../../images/wanted-platform.ts';
import { invalid } from '../../model/errors.ts';
import type { ProgressMessage } from '../../../api/images.ts';
import type { Exchange } from '../exchange.ts';
import { streamProgress } from '../progress-stream.ts';
import { publishImageEvent } from './events.ts';

/** `POST /images/create?fromSrc=…`: `-` is the request's body, anything else a URL. */
export async function importImage(parts: Parts, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const source = query.get('fromSrc') ?? '';
  const message = query.get('message') || `Imported from ${source === '-' ? '-' : source}`;
  const name = wantedName(query.get('repo') ?? '', query.get('tag') ?? '');
  const platform = wantedPlatform(query.get('platform') ?? '');
  const changes = query.getAll('changes').filter((line) => line.trim() !== '');
  if (source === '') throw invalid('nothing to import: expected fromImage, or fromSrc with a URL or "-"');
  async function* work(): AsyncGenerator<ProgressMessage, void, void> {
    if (source !== '-') yield { status: `Downloading from ${source}` };
    const tar = source === '-' ? exchange.request : downloaded(source, signal);
    const { image } = await importFrom(parts, { tar, name, message, changes, platform, signal });
    if (name !== null) publishImageEvent(parts.events, 'tag', image, familiarReference(parseReference(name)));
    publishImageEvent(parts.events, 'import', image, image.id);
    yield { status: image.id };
  }
  await streamProgress(exchange, work(), (error) =>
    parts.log.warn('an image could not be imported', { source, error }),
  );
}

function wantedName(repository: string, tag: string): string | null {
  if (repository === '') return null;
  const { tag: own, digest } = parseReference(repository);
  if (digest !== null) throw invalid('cannot import digest reference');
  const name = tag === '' || own !== null ? repository : `${repository}:${tag}`;
  return parseReference(name).tag === null ? `${name}:latest` : name;
}

function wantedPlatform(text: string): WantedPlatform | null {
  const platform = parseWantedPlatform(text);
  if (platform !== null && platform.os !== 'linux') throw invalid('operating system is not supported');
  return platform;
}
