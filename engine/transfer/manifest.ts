/**
 * Manifests and indexes as registries keep them (source: OCI image spec 1.1, "manifest.md" and "image-index.md"; Docker's schema 2, which
 * has the same fields). The registry room has checked digest and type; a document that two readers could take for two things is refused here.
 */
import { createHash } from 'node:crypto';
import type { StoredManifest } from '../images/images.ts';
import { JsonFields } from '../images/json-fields.ts';
import { invalid } from '../model/errors.ts';
import { type Digest, parseDigest } from '../model/ids.ts';
import type { RemoteManifest } from '../registry/registry.ts';

export const mediaTypes = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerPlugin: 'application/vnd.docker.plugin.v1+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerPlainLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
} as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface ImageManifest {
  readonly kind: 'image';
  readonly config: Descriptor;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
}

export interface IndexManifest {
  readonly kind: 'index';
  /** Descriptors as they stand, for the chooser of platforms. */
  readonly entries: readonly JsonFields[];
}

const mostLayers = 1000;
/** Larger ones are no configs of images: the largest known are some 100 KB. */
const largestConfigBytes = 8 * 1024 * 1024;

/** `shown`: the reference that was asked for, for messages. Throws `invalid` for what is neither an image nor an index. */
export function parseManifest(
  remote: Pick<RemoteManifest, 'mediaType' | 'bytes'>,
  shown: string,
): ImageManifest | IndexManifest {
  const told = plainType(remote.mediaType);
  if (told.startsWith('application/vnd.docker.distribution.manifest.v1+')) throw oldSchema(shown);
  const root = JsonFields.parse(remote.bytes, `manifest of ${shown}`);
  const version = root.number('schemaVersion');
  if (version === 1) throw oldSchema(shown);
  if (version !== 2) throw invalid(`manifest of ${shown}: unsupported schema version ${version}`);
  const written = root.text('mediaType');
  const isNeutral = told === '' || told === 'application/json' || told === 'application/octet-stream';
  if (root.has('manifests') && (root.has('layers') || root.has('config')))
    throw invalid(`manifest of ${shown}: it is both an image and an index of images`);
  const type = isNeutral ? written : told;
  switch (type === '' ? (root.has('manifests') ? mediaTypes.ociIndex : mediaTypes.ociManifest) : type) {
    case mediaTypes.dockerList:
    case mediaTypes.ociIndex:
      return { kind: 'index', entries: root.list('manifests') };
    case mediaTypes.dockerManifest:
    case mediaTypes.ociManifest:
      return imageOf(root, shown);
    default:
      throw invalid(`${shown}: unsupported media type ${type}`);
  }
}

/** Throws `invalid` naming the field. */
export function parseDescriptor(fields: JsonFields, where: string): Descriptor {
  const sizeBytes = fields.number('size');
  if (sizeBytes < 0 || !fields.has('size')) throw invalid(`${where}: a descriptor without a size`);
  return { mediaType: fields.text('mediaType'), digest: digestOf(fields.text('digest'), where), sizeBytes };
}

/**
 * As dockerd writes a manifest of its own, so that the same layers have the same digest whoever pushes them; in OCI's words where docker
 * has none (layers in zstd).
 */
export function newManifest(
  config: Pick<Descriptor, 'digest' | 'sizeBytes'>,
  layers: readonly Descriptor[],
): StoredManifest {
  const isOci = layers.some(({ mediaType }) => mediaType.endsWith('zstd'));
  const mediaType = isOci ? mediaTypes.ociManifest : mediaTypes.dockerManifest;
  const wire = (type: string, { digest, sizeBytes }: Pick<Descriptor, 'digest' | 'sizeBytes'>): object => ({
    mediaType: type,
    size: sizeBytes,
    digest,
  });
  const document = {
    schemaVersion: 2,
    mediaType,
    config: wire(isOci ? mediaTypes.ociConfig : mediaTypes.dockerConfig, config),
    layers: layers.map((layer) => wire(isOci ? ociLayerType(layer) : dockerLayerType(layer), layer)),
  };
  const bytes = Buffer.from(JSON.stringify(document, null, 3));
  return { digest: parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`), mediaType, bytes };
}

function dockerLayerType({ mediaType }: Descriptor): string {
  return mediaType.endsWith('gzip') ? mediaTypes.dockerLayer : mediaTypes.dockerPlainLayer;
}

function ociLayerType({ mediaType }: Descriptor): string {
  const plain = 'application/vnd.oci.image.layer.v1.tar';
  if (mediaType.endsWith('zstd')) return `${plain}+zstd`;
  return mediaType.endsWith('gzip') ? `${plain}+gzip` : plain;
}

/**
 * Throws `invalid` for what has the form of an image and is none: an artifact (a chart, a signature) has a config of another kind, or
 * layers that are no tars.
 */
export function assertImage(manifest: ImageManifest, shown: string): void {
  const { config, layers } = manifest;
  if (!isImageConfig(config.mediaType)) throw invalid(`unsupported media type ${config.mediaType}`);
  if (config.sizeBytes > largestConfigBytes)
    throw invalid(`manifest of ${shown}: a config of ${config.sizeBytes} bytes is larger than ${largestConfigBytes}`);
  for (const [index, { mediaType }] of layers.entries()) {
    const where = `manifest of ${shown}: layers[${index}]`;
    if (/\.foreign\.|\.nondistributable\./.test(mediaType))
      throw invalid(`${where}: foreign layers (${mediaType}) are kept outside of the registry and are not pulled`);
    // Compression is told by the first bytes; the type only says that it is a layer.
    const isLayer =
      /^application\/vnd\.docker\.image\.rootfs\.diff\.tar(?:\.gzip|\.zstd)?$/.test(mediaType) ||
      /^application\/vnd\.oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?$/.test(mediaType);
    if (!isLayer) throw invalid(`${where}: unsupported media type ${mediaType || '""'}`);
  }
}

function imageOf(root: JsonFields, shown: string): ImageManifest {
  const config = parseDescriptor(root.fields('config'), `manifest of ${shown}: config`);
  if (config.mediaType === mediaTypes.dockerPlugin)
    throw invalid(`Encountered remote "${config.mediaType}"(plugin) when fetching`);
  const listed = root.list('layers');
  if (listed.length > mostLayers) throw invalid(`manifest of ${shown}: ${listed.length} layers, at most ${mostLayers}`);
  const layers = listed.map((fields, index) => parseDescriptor(fields, `manifest of ${shown}: layers[${index}]`));
  return { kind: 'image', config, layers };
}

function isImageConfig(mediaType: string): boolean {
  // The empty type and octet-stream are what the first pushers of schema 2 wrote; dockerd takes them too.
  return [mediaTypes.dockerConfig, mediaTypes.ociConfig, 'application/octet-stream', ''].includes(mediaType);
}

function digestOf(text: string, where: string): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    throw invalid(`${where}: unsupported digest ${JSON.stringify(text.slice(0, 100))}`, { cause: error });
  }
}

function plainType(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

function oldSchema(shown: string): Error {
  return invalid(
    `Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. Suggest the author of ${shown} to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2.`,
  );
}
