/** import: an image of one layer, the tar of a whole file system (source: moby, daemon/images/image_import.go). */
import { formatInstant, type Instant } from '../model/time.ts';
import { engineVersion } from '../version.ts';
import { hostPlatform } from './archive/platform.ts';
import { applyChange, type ImageWords } from './config-changes.ts';
import type { Images, PublishedImage } from './images.ts';
import type { WantedPlatform } from './wanted-platform.ts';

export interface ImportRequest {
  readonly tar: AsyncIterable<Uint8Array>;
  /** `name[:tag]`; null: none. */
  readonly name: string | null;
  readonly message: string;
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[];
  /** Null: this computer's. */
  readonly platform: WantedPlatform | null;
  readonly signal: AbortSignal;
}

/** Throws `invalid` for a change that is none, before anything is read; and what `Images.make` throws. */
export async function importImage(
  { images, now }: { readonly images: Pick<Images, 'make'>; readonly now: () => Instant },
  request: ImportRequest,
): Promise<PublishedImage> {
  const { message, platform } = request;
  const config: ImageWords = {};
  for (const line of request.changes) applyChange(config, line);
  const created = formatInstant(now());
  const { architecture, variant } = platform ?? { ...hostPlatform(), variant: '' };
  return images.make({
    base: null,
    layer: request.tar,
    name: request.name,
    signal: request.signal,
    config: (_, added) => ({
      architecture,
      ...(variant === '' ? {} : { variant }),
      os: 'linux',
      created,
      comment: message,
      docker_version: engineVersion,
      config,
      history: [{ created, comment: message, ...(added === 'nothing' ? { empty_layer: true } : {}) }],
    }),
  });
}
