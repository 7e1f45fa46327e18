import type { Content } from '../content/content.ts';
import type { Images } from '../images/images.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import type { Registries } from '../registry/registry.ts';
import type { Database } from '../store/database.ts';
import { BlobPlaces } from './blob-places.ts';
import { Pulls } from './pulls.ts';
import { Pushes } from './pushes.ts';

/** Pulls and pushes of one engine. They share nothing but what they know of where blobs are. */
export interface Transfers {
  readonly pulls: Pulls;
  readonly pushes: Pushes;
}

export function openTransfers(parts: {
  readonly database: Database;
  readonly registries: { open(): Promise<Registries> };
  readonly content: Content;
  readonly layers: LayerStore;
  readonly images: Images;
  /** At a time, of all clients together. */
  readonly mostDownloads: number;
  readonly mostUploads: number;
  readonly reach: (point: string) => void;
}): Transfers {
  const nowMs = (): number => performance.now();
  const shared = { ...parts, places: new BlobPlaces(parts.database), nowMs };
  return { pulls: new Pulls(shared), pushes: new Pushes(shared) };
}
