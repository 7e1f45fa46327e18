import { openTransfers } from '../../transfer/open-transfers.ts';
import type { LateNeeds } from '../late-rooms.ts';
import type { Route } from '../router.ts';
import { importImage } from './import.ts';
import { pullImage } from './pull.ts';
import { pushImage } from './push.ts';

/** What brings images in from elsewhere and sends them there. Loaded late: its table of routes stands in `late-rooms.ts`. */
export function transferRoutes({ parts, registries, database, reach }: LateNeeds): readonly Route[] {
  const { downloadsAtOnce, uploadsAtOnce } = registries.settings;
  const { content, layers, images } = parts;
  const { pulls, pushes } = openTransfers({
    ...{ database, registries, content, layers, images, reach },
    mostDownloads: downloadsAtOnce,
    mostUploads: uploadsAtOnce,
  });
  return [
    {
      method: 'POST',
      path: '/images/create',
      handle: (exchange) =>
        (exchange.query.get('fromImage') ?? '') === ''
          ? importImage(parts, exchange)
          : pullImage(parts, pulls, exchange),
    },
    { method: 'POST', path: '/images/*name/push', handle: (exchange) => pushImage(parts, pushes, exchange) },
  ];
}
