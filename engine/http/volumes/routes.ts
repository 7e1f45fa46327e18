import type { VolumeInspect, VolumeList, VolumesPruned } from '../../../api/volumes.ts';
import type { Parts } from '../../containers/parts.ts';
import { EngineError, notImplemented } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import { readTruth } from '../../volumes/filters.ts';
import { type Volume, volumeFilterKeys, volumePruneFilterKeys } from '../../volumes/volumes.ts';
import type { Exchange } from '../exchange.ts';
import { Fields } from '../fields.ts';
import type { Route } from '../router.ts';

export function volumeRoutes(parts: Parts): readonly Route[] {
  const { volumes } = parts;
  return [
    {
      method: 'GET',
      path: '/volumes',
      handle(exchange) {
        const found = volumes.list(parseFilters(exchange.query.get('filters'), volumeFilterKeys));
        exchange.json(200, { Volumes: found.map(presentVolume), Warnings: null } satisfies VolumeList);
      },
    },
    { method: 'POST', path: '/volumes/create', handle: (exchange) => create(parts, exchange) },
    { method: 'POST', path: '/volumes/prune', handle: (exchange) => prune(parts, exchange) },
    {
      method: 'GET',
      path: '/volumes/:name',
      handle: (exchange) => exchange.json(200, presentVolume(volumes.find(exchange.param('name')))),
    },
    { method: 'DELETE', path: '/volumes/:name', handle: (exchange) => remove(parts, exchange) },
    {
      method: 'PUT',
      path: '/volumes/:name',
      handle() {
        throw new EngineError('unavailable', 'volume update only valid for cluster volumes, but swarm is unavailable');
      },
    },
  ];
}

export function presentVolume({ name, driver, createdAt, labels, options, folder }: Volume): VolumeInspect {
  const orNull = (map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null =>
    Object.keys(map).length === 0 ? null : map;
  return {
    CreatedAt: createdAt,
    Driver: driver,
    Labels: orNull(labels),
    Mountpoint: folder,
    Name: name,
    Options: orNull(options),
    Scope: 'local',
  };
}

async function create({ volumes }: Parts, exchange: Exchange): Promise<void> {
  const body = new Fields('', await exchange.body());
  if (body.isGiven('ClusterVolumeSpec')) throw notImplemented('cluster volumes are a swarm’s: Skiff has no swarm');
  const volume = await volumes.create({
    name: body.text('Name'),
    driver: body.text('Driver'),
    options: body.textMap('DriverOpts'),
    labels: body.textMap('Labels'),
  });
  exchange.json(201, presentVolume(volume));
}

async function remove({ volumes }: Parts, exchange: Exchange): Promise<void> {
  try {
    await volumes.remove(exchange.param('name'));
  } catch (error) {
    const isGone = error instanceof EngineError && error.kind === 'not-found';
    if (!isGone || !exchange.flag('force')) throw error;
  }
  exchange.empty(204);
}

/** Before API 1.42 all that nobody uses went, since then anonymous ones alone. */
async function prune({ volumes, events }: Parts, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), volumePruneFilterKeys);
  const isAll = readTruth(filters, 'all') ?? !exchange.isSince('1.42');
  const { names, reclaimedBytes } = await volumes.prune({ filters, isAll });
  events.publish({ type: 'volume', action: 'prune', actorId: '', attributes: { reclaimed: String(reclaimedBytes) } });
  exchange.json(200, {
    VolumesDeleted: names.length === 0 ? null : names,
    SpaceReclaimed: reclaimedBytes,
  } satisfies VolumesPruned);
}
