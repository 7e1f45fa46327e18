/** Squash and flatten (`api/skiff-v1.yaml`). */
import type { Events } from '../../events/events.ts';
import type { Images } from '../../images/images.ts';
import { familiarReference, parseReference, type Reference, withDefaultTag } from '../../images/reference.ts';
import { invalid } from '../../model/errors.ts';
import type { Squasher } from '../../squash/squash.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

interface Needs {
  readonly images: Images;
  readonly squasher: Squasher;
  readonly events: Events;
}

export function squashRoutes(parts: Needs): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/skiff/v1/images/*name/squash',
      handle: (exchange) => squash(parts, exchange, { from: exchange.integer('from'), to: exchange.integer('to') }),
    },
    {
      method: 'POST',
      path: '/skiff/v1/images/*name/flatten',
      handle: (exchange) => squash(parts, exchange, { from: null, to: null }),
    },
  ];
}

async function squash(
  { images, squasher, events }: Needs,
  exchange: Exchange,
  range: { readonly from: number | null; readonly to: number | null },
): Promise<void> {
  const names = exchange.query
    .getAll('tag')
    .filter((text) => text !== '')
    .map(nameOf);
  const source = images.resolve(exchange.param('name'));
  const { image, report } = await squasher.squash(source, { ...range, names, signal: exchange.signal });
  const { labels } = image.config.run;
  const tell = (action: 'create' | 'tag', name: string): void =>
    events.publish({ type: 'image', action, actorId: image.id, attributes: { ...labels, name } });
  if (image.id !== source.id) tell('create', image.id);
  for (const name of names) tell('tag', familiarReference(name));
  exchange.json(201, report);
}

function nameOf(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== null) throw invalid(`tag: ${text}: an image gets no name by digest`);
  return reference;
}
