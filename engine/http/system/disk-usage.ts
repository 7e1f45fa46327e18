/** `GET /system/df`: what takes how much of the disk. Since API 1.52 totals, and lists on demand; before, lists alone. */
import type { ContainerSummary } from '../../../api/containers.ts';
import type { ImageSummary } from '../../../api/images.ts';
import type { DiskUsage } from '../../../api/system.ts';
import type { VolumeInspect } from '../../../api/volumes.ts';
import type { Parts } from '../../containers/parts.ts';
import { liveState } from '../../containers/state.ts';
import { invalid } from '../../model/errors.ts';
import { mountFoldersOf } from '../containers/inspect/mounts.ts';
import { containerSummary, presentSizes } from '../containers/summary.ts';
import type { Exchange } from '../exchange.ts';
import { imageSummary, imageUsers } from '../images/list.ts';
import type { Route } from '../router.ts';
import { presentVolume } from '../volumes/routes.ts';

const kinds = ['container', 'image', 'volume', 'build-cache'] as const;
type Kind = (typeof kinds)[number];

export function diskUsageRoute(parts: Parts): Route {
  return {
    method: 'GET',
    path: '/system/df',
    async handle(exchange) {
      const wanted = wantedKinds(exchange);
      if (exchange.isSince('1.52')) exchange.json(200, await totals(parts, wanted, exchange.flag('verbose')));
      else exchange.answer('disk-usage', await lists(parts, wanted));
    },
  };
}

function wantedKinds(exchange: Exchange): ReadonlySet<Kind> {
  const asked = exchange.query.getAll('type');
  const found = asked.map((text) => {
    const kind = kinds.find((known) => known === text);
    if (kind === undefined) throw invalid(`unknown object type: ${text}`);
    return kind;
  });
  return new Set(found.length === 0 ? kinds : found);
}

async function lists(parts: Parts, wanted: ReadonlySet<Kind>): Promise<DiskUsage> {
  const images = wanted.has('image') ? imagesOf(parts) : null;
  return {
    LayersSize: images?.layersBytes ?? 0,
    Images: images?.list ?? null,
    Containers: wanted.has('container') ? await containersOf(parts) : null,
    Volumes: wanted.has('volume') ? await volumesOf(parts) : null,
    BuildCache: wanted.has('build-cache') ? [] : null,
  };
}

interface Total<T> {
  readonly ActiveCount: number;
  readonly TotalCount: number;
  readonly Reclaimable: number;
  readonly TotalSize: number;
  readonly Items?: readonly T[];
}

async function totals(parts: Parts, wanted: ReadonlySet<Kind>, isVerbose: boolean): Promise<object> {
  const items = <T>(list: readonly T[]): { readonly Items?: readonly T[] } =>
    isVerbose && list.length > 0 ? { Items: list } : {};
  return {
    ...(wanted.has('image') ? { ImageUsage: imageTotal(imagesOf(parts), items) } : {}),
    ...(wanted.has('container') ? { ContainerUsage: await containerTotal(parts, items) } : {}),
    ...(wanted.has('volume') ? { VolumeUsage: volumeTotal(await volumesOf(parts), items) } : {}),
    ...(wanted.has('build-cache')
      ? { BuildCacheUsage: { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0 } }
      : {}),
  };
}

type Items = <T>(list: readonly T[]) => { readonly Items?: readonly T[] };

/** An image that containers were made from is active; what only it has is in use. */
function imageTotal({ list, layersBytes }: ReturnType<typeof imagesOf>, items: Items): Total<ImageSummary> {
  const active = list.filter(({ Containers }) => Containers > 0);
  const used = active.reduce((sum, { Size, SharedSize }) => sum + Size - SharedSize, 0);
  return {
    ActiveCount: active.length,
    TotalCount: list.length,
    Reclaimable: layersBytes - used,
    TotalSize: layersBytes,
    ...items(list),
  };
}

async function containerTotal(parts: Parts, items: Items): Promise<Total<ContainerSummary>> {
  const list = await containersOf(parts);
  const running = new Set(
    parts.directory.all().flatMap(({ id, state }) => (liveState(state) === null ? [] : [id as string])),
  );
  const sizeOf = (some: readonly ContainerSummary[]): number => some.reduce((sum, { SizeRw = 0 }) => sum + SizeRw, 0);
  const idle = list.filter(({ Id }) => !running.has(Id));
  return {
    ActiveCount: list.length - idle.length,
    TotalCount: list.length,
    Reclaimable: sizeOf(idle),
    TotalSize: sizeOf(list),
    ...items(list),
  };
}

function volumeTotal(list: readonly VolumeInspect[], items: Items): Total<VolumeInspect> {
  const sizeOf = (some: readonly VolumeInspect[]): number =>
    some.reduce((sum, { UsageData }) => sum + (UsageData?.Size ?? 0), 0);
  const idle = list.filter(({ UsageData }) => UsageData?.RefCount === 0);
  return {
    ActiveCount: list.length - idle.length,
    TotalCount: list.length,
    Reclaimable: sizeOf(idle),
    TotalSize: sizeOf(list),
    ...items(list),
  };
}

async function containersOf(parts: Parts): Promise<readonly ContainerSummary[]> {
  const all = parts.directory.all();
  const sizes = await parts.roots.sizes(all.map(({ id }) => id));
  const now = parts.now();
  return all.map((container, index) => ({
    ...containerSummary(container, now, mountFoldersOf(parts, container)),
    ...presentSizes(sizes[index]),
  }));
}

async function volumesOf({ volumes, trees }: Parts): Promise<readonly VolumeInspect[]> {
  const all = volumes.list();
  const sizes = await trees.measure(all.map(({ folder }) => folder));
  return all.map((volume, index) => ({
    ...presentVolume(volume),
    UsageData: { Size: sizes[index] ?? -1, RefCount: volumes.usersOf(volume.name).length },
  }));
}

/** Bytes of layers that several images have count once in the whole, and as shared in each. */
function imagesOf(parts: Parts): { readonly list: readonly ImageSummary[]; readonly layersBytes: number } {
  const listed = parts.images.list();
  const { sharedBytes, layersBytes } = parts.images.sharedSizes();
  const users = imageUsers(parts);
  return {
    list: listed.map((entry) =>
      imageSummary(entry, {
        containers: users.get(entry.image.id) ?? 0,
        sharedBytes: sharedBytes.get(entry.image.id) ?? 0,
      }),
    ),
    layersBytes,
  };
}
