/** A registry on the loopback of each contender, over one folder: the same images at the same address for both. */
import { readFileSync } from 'node:fs';
import { putBlob, putManifest } from '../test/engine/registry-image.ts';
import { userCache } from '../test/peers/debian-packages.ts';
import { startDockerd } from '../test/peers/dockerd.ts';
import { startRegistry } from '../test/peers/registry.ts';
import type { Contender, Measurement } from './contender.ts';
import type { MadeImage } from './debian-images.ts';
import { openOwnDisk } from './own-disk.ts';
import { startSkiffd } from './skiffd.ts';

export interface Ground {
  readonly contenders: readonly Contender[];
  /** `127.0.0.1:41234`, for both. */
  readonly registry: string;
}

export async function withRegistries(
  tell: (line: string) => void,
  body: (ground: Ground) => Promise<readonly Measurement[]>,
): Promise<readonly Measurement[]> {
  using disk = openOwnDisk();
  using otherDisk = openOwnDisk();
  await using skiffd = await disk.with(startSkiffd);
  tell(`skiffd ${skiffd.version} is up`);
  await using dockerd = await otherDisk.with(() => startDockerd(userCache()));
  tell(`dockerd ${dockerd.version} is up`);
  await using registry = await startRegistry();
  const { host, storage } = registry;
  const port = Number(host.split(':').at(-1));
  await using _theirs = await startRegistry({ port, storage, netns: dockerd.netns });
  return await body({ contenders: [skiffd, dockerd], registry: host });
}

/** As `<registry>/bench/<name>:1`. Returns that name. */
export async function putMadeImage(registry: string, image: MadeImage): Promise<string> {
  const repository = `${registry}/bench/${image.name}`;
  for (const layer of image.layers) await putBlob(repository, readFileSync(layer.file));
  const digest = await putBlob(repository, image.config);
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const document = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', size: image.config.length, digest },
    layers: image.layers.map(({ digest, sizeBytes: size }) => ({
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      size,
      digest,
    })),
  };
  await putManifest(repository, '1', { document, mediaType });
  return `${repository}:1`;
}
