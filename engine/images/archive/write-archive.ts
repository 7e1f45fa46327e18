/**
 * The archive of `docker save` since 25: an OCI layout, and docker's own `manifest.json` and `repositories` for those who
 * do not read that. It is written as it is sent, never to the disk. The documents come first, so that who reads it knows
 * what the layers are before they come. The same images give the same bytes.
 * Each piece is good until the next is asked for.
 */
import { open } from 'node:fs/promises';
import { encodeEntry, encodeHeader, endOfArchive, padding } from '../../../api/tar/writer.ts';
import type { LayerStore } from '../../layers/layer-store.ts';
import { internal } from '../../model/errors.ts';
import { type Digest, hexOf } from '../../model/ids.ts';
import { familiarName, familiarReference, formatReference } from '../reference.ts';
import type { SavedImage, SavedLayer } from './saved-image.ts';

const readBytes = 256 * 1024;

export async function* writeArchive(
  images: readonly SavedImage[],
  options: { readonly layers: LayerStore; readonly signal: AbortSignal },
): AsyncGenerator<Buffer, void, void> {
  yield Buffer.concat([
    folder('blobs/'),
    folder('blobs/sha256/'),
    file('oci-layout', Buffer.from('{"imageLayoutVersion": "1.0.0"}')),
    file('index.json', json(index(images))),
    file('manifest.json', json(images.map((image) => dockerManifest(image, images)))),
    ...repositories(images),
  ]);
  const written = new Set<Digest>();
  for (const { image, config, manifest } of images) {
    for (const [digest, bytes] of [
      [image.id, config],
      [manifest.digest, manifest.bytes],
    ] as const) {
      if (written.has(digest)) continue;
      written.add(digest);
      yield file(blobName(digest), bytes);
    }
  }
  for (const layer of images.flatMap(({ layers }) => layers)) {
    if (written.has(layer.digest)) continue;
    written.add(layer.digest);
    yield blobHeader(layer.digest, layer.sizeBytes);
    let sentBytes = 0;
    for await (const chunk of content(layer, options)) {
      sentBytes += chunk.length;
      yield chunk;
    }
    if (sentBytes !== layer.sizeBytes)
      throw internal(`layer ${layer.diffId} has ${sentBytes} bytes, not ${layer.sizeBytes}`);
    yield padding(layer.sizeBytes);
  }
  yield endOfArchive;
}

function content(
  { chainId, blob }: SavedLayer,
  { layers, signal }: { readonly layers: LayerStore; readonly signal: AbortSignal },
): AsyncIterable<Buffer> {
  if (blob === null) return layers.tarOf(chainId, { pieces: 'fleeting', signal }).bytes;
  return fileContent(blob, signal);
}

async function* fileContent(path: string, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  await using file = await open(path);
  const room = Buffer.allocUnsafeSlow(readBytes);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(room);
    if (bytesRead === 0) return;
    yield room.subarray(0, bytesRead);
  }
}

/** A manifest for each name: that is how an OCI layout says what an image is called. */
function index(images: readonly SavedImage[]): object {
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: images.flatMap(({ manifest, names }) => {
      const { mediaType, digest, bytes } = manifest;
      const descriptor = { mediaType, digest, size: bytes.length };
      if (names.length === 0) return [descriptor];
      return names.map((name) => ({
        ...descriptor,
        annotations: {
          'io.containerd.image.name': formatReference(name),
          'org.opencontainers.image.ref.name': name.tag,
        },
      }));
    }),
  };
}

function dockerManifest({ image, names, layers }: SavedImage, images: readonly SavedImage[]): object {
  const isParentThere = images.some((other) => other.image.id === image.parent);
  return {
    Config: blobName(image.id),
    RepoTags: names.length === 0 ? null : names.map(familiarReference),
    Layers: layers.map(({ digest }) => blobName(digest)),
    ...(isParentThere ? { Parent: image.parent } : {}),
    LayerSources: Object.fromEntries(
      layers.map(({ diffId, mediaType, sizeBytes, digest }) => [diffId, { mediaType, size: sizeBytes, digest }]),
    ),
  };
}

/** As engines before 1.10 read it; later ones only write it. */
function repositories(images: readonly SavedImage[]): readonly Buffer[] {
  const all: Record<string, Record<string, string>> = {};
  for (const { names, layers } of images) {
    const top = layers.at(-1);
    if (top === undefined) continue;
    for (const name of names) (all[familiarName(name)] ??= {})[name.tag ?? 'latest'] = hexOf(top.digest);
  }
  return Object.keys(all).length === 0 ? [] : [file('repositories', json(all))];
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function folder(name: string): Buffer {
  return encodeEntry({ kind: 'directory', name: Buffer.from(name), mode: 0o755 });
}

function file(name: string, bytes: Buffer): Buffer {
  return encodeEntry({ kind: 'file', name: Buffer.from(name) }, bytes);
}

function blobHeader(digest: Digest, sizeBytes: number): Buffer {
  return encodeHeader({
    kind: 'file',
    name: Buffer.from(blobName(digest)),
    linkName: Buffer.alloc(0),
    mode: 0o644,
    userId: 0,
    groupId: 0,
    sizeBytes,
    modifiedNs: 0n,
    device: { major: 0, minor: 0 },
    xattrs: new Map(),
  });
}
