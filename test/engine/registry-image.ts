/** Puts images into a registry by its API, as a foreign tool would: so that what is pulled was not made by the engine under test. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { endOfArchive } from '../../api/tar/writer.ts';

export interface PutImage {
  readonly digest: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly config: string;
  /** Of the blobs, bottom first. */
  readonly layers: readonly string[];
}

export interface WantedImage {
  /** Each a list of tar entries, bottom first. */
  readonly layers: readonly (readonly Buffer[])[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
  readonly form?: 'docker' | 'oci';
}

const types = {
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
};

export const hostArchitecture = process.arch === 'x64' ? 'amd64' : process.arch;

/** `repository`: `host:port/path`; `reference`: a tag, or null to have it by digest alone. */
export async function putImage(repository: string, reference: string | null, wanted: WantedImage): Promise<PutImage> {
  const { form = 'docker', architecture = hostArchitecture } = wanted;
  const tars = wanted.layers.map((entries) => Buffer.concat([...entries, endOfArchive]));
  const blobs = tars.map((tar) => gzipSync(tar));
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: { Env: ['PATH=/bin'], Cmd: ['sh'], ...wanted.config },
      rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
    }),
  );
  for (const blob of [...blobs, config]) await putBlob(repository, blob);
  const describe = (mediaType: string, bytes: Buffer): object => ({
    mediaType,
    size: bytes.length,
    digest: sha256(bytes),
  });
  const { manifest: mediaType, config: configType, layer: layerType } = types[form];
  const document = {
    schemaVersion: 2,
    mediaType,
    config: describe(configType, config),
    layers: blobs.map((blob) => describe(layerType, blob)),
  };
  const put = await putManifest(repository, reference, { document, mediaType });
  return { ...put, config: sha256(config), layers: blobs.map(sha256) };
}

/** An index of images that are there, by platform (`linux/arm64`). */
export async function putIndex(
  repository: string,
  tag: string,
  images: Readonly<Record<string, Pick<PutImage, 'digest' | 'mediaType' | 'sizeBytes'>>>,
): Promise<string> {
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const manifests = Object.entries(images).map(([platform, { digest, mediaType, sizeBytes }]) => {
    const [os, architecture, variant] = platform.split('/');
    return {
      mediaType,
      digest,
      size: sizeBytes,
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    };
  });
  return (await putManifest(repository, tag, { document: { schemaVersion: 2, mediaType, manifests }, mediaType }))
    .digest;
}

export async function putManifest(
  repository: string,
  reference: string | null,
  what: { readonly document: object; readonly mediaType: string },
): Promise<Pick<PutImage, 'digest' | 'mediaType' | 'sizeBytes'>> {
  const { host, path } = placeOf(repository);
  const bytes = Buffer.from(JSON.stringify(what.document));
  const digest = sha256(bytes);
  await ask(`http://${host}/v2/${path}/manifests/${reference ?? digest}`, 'PUT', what.mediaType, bytes);
  return { digest, mediaType: what.mediaType, sizeBytes: bytes.length };
}

export async function putBlob(repository: string, bytes: Buffer): Promise<string> {
  const { host, path } = placeOf(repository);
  const digest = sha256(bytes);
  const begun = await ask(
    `http://${host}/v2/${path}/blobs/uploads/`,
    'POST',
    'application/octet-stream',
    Buffer.alloc(0),
  );
  const location = new URL(begun.headers.get('location') ?? '', `http://${host}`);
  location.searchParams.set('digest', digest);
  await ask(location.href, 'PUT', 'application/octet-stream', bytes);
  return digest;
}

export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function ask(url: string, method: string, type: string, body: Buffer): Promise<Response> {
  const answer = await fetch(url, {
    method,
    headers: { 'Content-Type': type },
    body: new Uint8Array(body),
    signal: AbortSignal.timeout(60_000),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

function placeOf(repository: string): { readonly host: string; readonly path: string } {
  const slash = repository.indexOf('/');
  return { host: repository.slice(0, slash), path: repository.slice(slash + 1) };
}
