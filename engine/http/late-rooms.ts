/** The rooms of the API that are loaded when the first request comes for them: an entry a room (late-routes.ts says why). */
import type { Parts } from '../containers/parts.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import type { LateRegistries } from '../registry/late-registries.ts';
import { lateRoutes } from './late-routes.ts';
import type { Database } from '../store/database.ts';
import type { Route } from './router.ts';

/** What late rooms are made of, beyond the parts of a container's life: add what a room needs. */
export interface LateNeeds {
  readonly parts: Parts;
  readonly layers: LayerStore;
  readonly registries: LateRegistries;
  readonly database: Database;
  /** Steps at which tests of kills end the engine. */
  readonly reach: (point: string) => void;
  /** Closes what a room opens (`owner.use(new Explorer(…))`), when the engine ends and before the other rooms close. */
  readonly owner: Pick<AsyncDisposableStack, 'use'>;
}

export function lateRooms(needs: LateNeeds): readonly Route[] {
  const { parts } = needs;
  return [
    ...lateRoutes(['POST /images/create', 'POST /images/*name/push'], async () =>
      (await import('./images/transfer.ts')).transferRoutes(needs),
    ),
    ...lateRoutes(
      [
        'GET /networks',
        'POST /networks/create',
        'POST /networks/prune',
        'GET /networks/:id',
        'DELETE /networks/:id',
        'POST /networks/:id/connect',
        'POST /networks/:id/disconnect',
      ],
      async () => (await import('./networks/routes.ts')).networkRoutes(parts),
    ),
    ...lateRoutes(
      [
        'GET /volumes',
        'POST /volumes/create',
        'POST /volumes/prune',
        'GET /volumes/:name',
        'DELETE /volumes/:name',
        'PUT /volumes/:name',
      ],
      async () => (await import('./volumes/routes.ts')).volumeRoutes(parts),
    ),
    ...lateRoutes(['POST /commit'], async () => [(await import('./containers/commit.ts')).commitRoute(parts)]),
    ...lateRoutes(
      [
        'HEAD /containers/:id/archive',
        'GET /containers/:id/archive',
        'PUT /containers/:id/archive',
        'GET /containers/:id/export',
        'GET /containers/:id/changes',
      ],
      async () => (await import('./containers/files.ts')).fileRoutes(parts),
    ),
    ...lateRoutes(['GET /containers/:id/top'], async () => [(await import('./containers/top.ts')).topRoute(parts)]),
    ...lateRoutes(
      ['POST /auth', 'GET /distribution/*name/json', 'GET /images/search', 'GET /skiff/v1/registry/manifest'],
      async () => (await import('./registry/routes.ts')).registryRoutes(needs),
    ),
    ...lateRoutes(['GET /system/df'], async () => [(await import('./system/disk-usage.ts')).diskUsageRoute(parts)]),
    ...lateRoutes([{ method: 'POST', path: '/skiff/udp', upgrades: 'tcp' }], async () => [
      (await import('./forward/udp.ts')).udpRoute(parts),
    ]),
    ...lateRoutes(
      [
        'GET /skiff/v1/shares',
        'PUT /skiff/v1/shares',
        { method: 'POST', path: '/skiff/v1/shares/attach', upgrades: 'tcp' },
      ],
      async () => (await import('./skiff/shares.ts')).shareRoutes(parts),
    ),
    ...lateRoutes(
      [
        'GET /skiff/v1/images/*name/layers',
        'GET /skiff/v1/images/*name/tree',
        'GET /skiff/v1/images/*name/waste',
        'GET /skiff/v1/images/*name/file',
        'HEAD /skiff/v1/images/*name/file',
        'GET /skiff/v1/compare',
        'POST /skiff/v1/images/*name/squash',
        'POST /skiff/v1/images/*name/flatten',
        'GET /skiff/v1/disk',
        'POST /skiff/v1/disk/reclaim',
        'GET /skiff/v1/containers/:id/snapshots',
        'POST /skiff/v1/containers/:id/snapshots',
        'DELETE /skiff/v1/containers/:id/snapshots/:snapshot',
        'GET /skiff/v1/containers/:id/snapshots/:snapshot/diff',
        'POST /skiff/v1/containers/:id/snapshots/:snapshot/rollback',
        'POST /skiff/v1/containers/:id/snapshots/:snapshot/image',
        'POST /skiff/v1/containers/:id/snapshots/:snapshot/container',
      ],
      async () => (await import('./skiff/routes.ts')).skiffRoutes(needs),
    ),
  ];
}
