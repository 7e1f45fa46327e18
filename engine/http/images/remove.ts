import type { ImageRemoval } from '../../../api/images.ts';
import type { Parts } from '../../containers/parts.ts';
import { countsAsRunning } from '../../containers/state.ts';
import type { ImageUser, RemovedImage } from '../../images/images.ts';
import { imagePruneFilterKeys } from '../../images/prune-images.ts';
import { assertPlatform, parsePlatformDocument } from '../../images/wanted-platform.ts';
import { invalid } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import type { ImageId } from '../../model/ids.ts';
import type { Exchange } from '../exchange.ts';
import { publishImageEvent } from './events.ts';

export async function removeImage(parts: Parts, exchange: Exchange): Promise<void> {
  const name = exchange.param('name');
  const platforms = exchange.query.getAll('platforms').map(parsePlatformDocument);
  const { config } = parts.images.resolve(name);
  // An image of this engine is of one platform: to remove that one is to remove it.
  for (const platform of platforms) assertPlatform(config, { platform, name });
  const removed = await parts.images.remove(name, {
    isForced: exchange.flag('force'),
    keepsParents: exchange.flag('noprune'),
    usersOf: usersOf(parts),
  });
  publishRemovals(parts, removed);
  exchange.json(200, removed.map(line));
}

export async function pruneImages(parts: Parts, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), imagePruneFilterKeys);
  const removed = await parts.images.prune(filters, { usersOf: usersOf(parts) });
  // What pulls left that came to no end counts too.
  const leftBytes = await parts.content.collect({ isSparing: false, isThorough: true });
  const reclaimedBytes = removed.reduce(
    (sum, step) => sum + (step.kind === 'deleted-layer' ? step.sizeBytes : 0),
    leftBytes,
  );
  publishRemovals(parts, removed);
  parts.events.publish({
    type: 'image',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(reclaimedBytes) },
  });
  exchange.json(200, {
    ImagesDeleted: removed.length === 0 ? null : removed.map(line),
    SpaceReclaimed: reclaimedBytes,
  });
}

export async function tagImage(parts: Parts, exchange: Exchange): Promise<void> {
  const repository = exchange.query.get('repo') ?? '';
  if (repository === '') throw invalid('repository name must have at least one component');
  const tag = exchange.query.get('tag') || null;
  const { image, name } = await parts.images.tag(exchange.param('name'), { repository, tag });
  publishImageEvent(parts.events, 'tag', image, name);
  exchange.response.writeHead(201, { 'Content-Length': 0 }).end();
}

export function usersOf({ directory }: Parts): (image: ImageId) => readonly ImageUser[] {
  return (image) =>
    directory
      .all()
      .filter(({ spec }) => spec.imageId === image)
      .map((container) => ({ id: container.id, isRunning: countsAsRunning(container.state) }));
}

/** Layers that go with an image are deleted too, but no event of docker's tells of them; nor are the labels of what is gone told. */
export function publishRemovals({ events }: Pick<Parts, 'events'>, removed: readonly RemovedImage[]): void {
  for (const step of removed) {
    switch (step.kind) {
      case 'untagged':
        publishImageEvent(events, 'untag', step.image, step.image.id);
        break;
      case 'deleted':
        events.publish({ type: 'image', action: 'delete', actorId: step.image, attributes: { name: step.image } });
        break;
      case 'deleted-layer':
    }
  }
}

function line(step: RemovedImage): ImageRemoval {
  switch (step.kind) {
    case 'untagged':
      return { Untagged: step.name };
    case 'deleted':
      return { Deleted: step.image };
    case 'deleted-layer':
      return { Deleted: step.layer };
  }
}
