/** Snapshots of containers' files (`api/skiff-v1.yaml`). */
import type { Container } from '../../containers/container.ts';
import type { Parts } from '../../containers/parts.ts';
import { familiarReference } from '../../images/reference.ts';
import { invalid } from '../../model/errors.ts';
import type { Snapshots } from '../../snapshots/snapshots.ts';
import { readCreateBody } from '../containers/create/body.ts';
import { presentConfig } from '../containers/inspect/config.ts';
import { presentHostConfig } from '../containers/inspect/host-config.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { boundedInteger, pageOffset } from './numbers.ts';

const all = '/skiff/v1/containers/:id/snapshots';
const one = `${all}/:snapshot`;

export function snapshotRoutes(parts: Parts, snapshots: Snapshots): readonly Route[] {
  const find = (exchange: Exchange): Container => parts.directory.find(exchange.param('id'));
  const named = (exchange: Exchange): string => exchange.param('snapshot');
  return [
    {
      method: 'GET',
      path: all,
      handle: (exchange) => exchange.json(200, { snapshots: snapshots.list(find(exchange)) }),
    },
    {
      method: 'POST',
      path: all,
      async handle(exchange) {
        const { query } = exchange;
        const asked = { name: query.get('name') || null, comment: query.get('comment') ?? '' };
        exchange.json(201, await snapshots.take(find(exchange), asked));
      },
    },
    {
      method: 'DELETE',
      path: one,
      async handle(exchange) {
        await snapshots.remove(find(exchange), named(exchange));
        exchange.empty(204);
      },
    },
    { method: 'GET', path: `${one}/diff`, handle: (exchange) => diff(snapshots, find(exchange), exchange) },
    {
      method: 'POST',
      path: `${one}/rollback`,
      handle: async (exchange) => exchange.json(200, await snapshots.rollBack(find(exchange), named(exchange))),
    },
    { method: 'POST', path: `${one}/image`, handle: (exchange) => makeImage(parts, snapshots, exchange) },
    { method: 'POST', path: `${one}/container`, handle: (exchange) => makeContainer(parts, snapshots, exchange) },
  ];
}

async function diff(snapshots: Snapshots, container: Container, exchange: Exchange): Promise<void> {
  const asked = {
    from: exchange.param('snapshot'),
    to: exchange.query.get('to') || null,
    offset: pageOffset(exchange),
    limit: boundedInteger(exchange, 'limit', { least: 0, most: 2_000, otherwise: 1_000 }),
  };
  exchange.json(200, await snapshots.compare(container, asked, exchange.signal));
}

async function makeImage(parts: Parts, snapshots: Snapshots, exchange: Exchange): Promise<void> {
  const container = parts.directory.find(exchange.param('id'));
  const asked = { snapshot: exchange.param('snapshot'), name: exchange.query.get('tag') || null };
  const image = await snapshots.makeImage(container, asked, exchange.signal);
  const tell = (action: 'create' | 'tag', name: string): void =>
    parts.events.publish({
      type: 'image',
      action,
      actorId: image.id,
      attributes: { ...image.config.run.labels, name },
    });
  tell('create', image.id);
  const names = image.references.map(familiarReference);
  if (asked.name !== null) for (const name of names) tell('tag', name);
  exchange.json(201, { id: image.id, names });
}

/** Set up as the first one is, but for its name and what belongs to it alone. */
async function makeContainer(parts: Parts, snapshots: Snapshots, exchange: Exchange): Promise<void> {
  const { spec, id } = parts.directory.find(exchange.param('id'));
  const source = parts.directory.find(exchange.param('id'));
  const { Hostname, ...config } = presentConfig(spec);
  const body = {
    ...config,
    ...(Hostname === undefined || id.startsWith(Hostname) ? {} : { Hostname }),
    Image: spec.imageId,
    HostConfig: presentHostConfig(spec),
  };
  const name = exchange.query.get('name') || null;
  if (name !== null && name.startsWith('/')) throw invalid(`name: "${name}": without a slash`);
  const request = readCreateBody(body, name, (text) => parts.directory.find(text).id);
  const made = await snapshots.makeContainer(source, exchange.param('snapshot'), request);
  exchange.json(201, { id: made.id, name: made.name });
}
