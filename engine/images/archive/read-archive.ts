/**
 * What images an archive holds. `docker save` has written three forms over the years: `manifest.json` with a folder for
 * each layer; the same with an OCI layout in it (since 25); and what skopeo and buildx write is an OCI layout alone. Where
 * there is a `manifest.json` it decides, as with docker.
 */
import { createHash } from 'node:crypto';
import { invalid, notFound } from '../../model/errors.ts';
import { type Digest, type DiffId, hexOf, type ImageId, parseDigest } from '../../model/ids.ts';
import { parseImageConfig } from '../image-config.ts';
import { JsonFields, parseJson } from '../json-fields.ts';
import { parseReference, type Reference, withDefaultTag } from '../reference.ts';
import type { IncomingImage } from './incoming-image.ts';
import { chooseManifest, type HostPlatform, hostPlatform } from './platform.ts';
import type { Spool } from './spool.ts';
import { platformFits, type WantedPlatform } from '../wanted-platform.ts';

/**
 * The images in the order in which the archive lists them; each is checked when it is its turn. Of `platforms` alone, if there
 * are any. Throws `not-found` when there is none of them.
 */
export async function* readArchive(
  spool: Spool,
  platforms: readonly WantedPlatform[],
): AsyncGenerator<IncomingImage, void, void> {
  let found = 0;
  for await (const image of allImages(spool, platforms)) {
    if (platforms.length > 0 && !platforms.some((platform) => platformFits(image.config, platform))) continue;
    found += 1;
    yield image;
  }
  if (found > 0 || platforms.length === 0) return;
  throw notFound(`no image of the archive is for ${platforms.map(({ shown }) => shown).join(', ')}`);
}

async function* allImages(
  spool: Spool,
  platforms: readonly WantedPlatform[],
): AsyncGenerator<IncomingImage, void, void> {
  if (spool.has('manifest.json')) yield* dockerImages(spool);
  else if (spool.has('index.json')) {
    if (platforms.length === 0) yield* layoutImages(spool, hostPlatform());
    // A name stands on one image: on that of the first platform.
    for (const [index, platform] of platforms.entries())
      for await (const image of layoutImages(spool, platform)) yield index === 0 ? image : { ...image, names: [] };
  } else if (spool.has('repositories')) {
    throw invalid(
      'this archive has the form of docker before 1.10, which is not supported: load and save it with a newer docker',
    );
  } else throw invalid('this is no archive of images: it has neither manifest.json nor index.json');
}

async function* dockerImages(spool: Spool): AsyncGenerator<IncomingImage, void, void> {
  const manifests = parseJson(await spool.read('manifest.json'), 'manifest.json');
  if (!Array.isArray(manifests)) throw invalid('manifest.json: expected a list');
  for (const [index, item] of manifests.entries()) {
    const manifest = new JsonFields(item, `manifest.json[${index}]`);
    const configName = manifest.text('Config');
    const files = manifest.texts('Layers') ?? [];
    yield imageOf({
      config: await spool.read(configName),
      // The file is named by its digest in all forms: `<hex>.json`, `blobs/sha256/<hex>`.
      configDigest: digestInName(configName),
      layers: files.map((name) => ({ source: spool.slice(name), blobDigest: null })),
      names: (manifest.texts('RepoTags') ?? []).map(tagged),
      parent: manifest.has('Parent') ? parseDigest(manifest.text('Parent')) : null,
    });
  }
}

async function* layoutImages(spool: Spool, host: HostPlatform): AsyncGenerator<IncomingImage, void, void> {
  const index = JsonFields.parse(await spool.read('index.json'), 'index.json');
  const descriptors = index.list('manifests');
  if (descriptors.length === 0) throw invalid('index.json: it lists no image');
  for (const descriptor of descriptors) {
    const manifest = await manifestOf(spool, { descriptor, host, depth: 0 });
    const config = manifest.fields('config');
    const configDigest = parseDigest(config.text('digest'));
    yield imageOf({
      config: await readBlob(spool, configDigest),
      configDigest,
      layers: manifest.list('layers').map((layer) => {
        const blobDigest = parseDigest(layer.text('digest'));
        return { source: spool.slice(blobName(blobDigest)), blobDigest };
      }),
      names: namesOf(descriptor.textMap('annotations')),
      parent: null,
    });
  }
}

const deepestIndex = 4;

/** The manifest that a descriptor leads to: itself, or through an index the one that fits this host best. */
async function manifestOf(
  spool: Spool,
  at: { readonly descriptor: JsonFields; readonly host: HostPlatform; readonly depth: number },
): Promise<JsonFields> {
  const digest = parseDigest(at.descriptor.text('digest'));
  const document = JsonFields.parse(await readBlob(spool, digest), `manifest ${digest}`);
  // One document that is both could be read as two different images (CVE-2021-41190).
  if (document.has('manifests') && (document.has('layers') || document.has('config'))) {
    throw invalid(`manifest ${digest}: it is both an index and a manifest`);
  }
  if (!document.has('manifests')) {
    if (!document.has('config')) throw invalid(`manifest ${digest}: it names no config`);
    return document;
  }
  if (at.depth === deepestIndex) throw invalid(`manifest ${digest}: an index in an index in an index, without end`);
  const descriptor = chooseManifest(document.list('manifests'), at.host);
  return manifestOf(spool, { descriptor, host: at.host, depth: at.depth + 1 });
}

function imageOf(parts: {
  readonly config: Buffer;
  readonly configDigest: Digest | null;
  readonly layers: readonly Omit<IncomingImage['layers'][number], 'diffId'>[];
  readonly names: readonly Reference[];
  readonly parent: ImageId | null;
}): IncomingImage {
  const id = digestOf(parts.config);
  if (parts.configDigest !== null && parts.configDigest !== id) {
    throw invalid(`broken image archive: the config has the digest ${id}, not ${parts.configDigest}`);
  }
  const config = parseImageConfig(parts.config);
  if (config.diffIds.length !== parts.layers.length) {
    throw invalid(
      `invalid manifest, layers length mismatch: expected ${parts.layers.length}, got ${config.diffIds.length}`,
    );
  }
  const withDiffId = (diffId: DiffId, index: number): readonly IncomingImage['layers'][number][] => {
    const layer = parts.layers[index];
    return layer === undefined ? [] : [{ ...layer, diffId }];
  };
  return {
    id,
    configText: parts.config.toString('utf8'),
    config,
    layers: config.diffIds.flatMap(withDiffId),
    names: parts.names,
    parent: parts.parent,
  };
}

async function readBlob(spool: Spool, digest: Digest): Promise<Buffer> {
  const bytes = await spool.read(blobName(digest));
  const found = digestOf(bytes);
  if (found !== digest) throw invalid(`broken image archive: blob ${digest} has the digest ${found}`);
  return bytes;
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function digestOf(bytes: Buffer): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

function digestInName(name: string): Digest | null {
  const hex = /^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.json)$/.exec(name);
  return hex === null ? null : parseDigest(`sha256:${hex[1] ?? hex[2]}`);
}

/** containerd's and buildx's full name; else the reference of the OCI spec, which may be a mere tag and then names nothing. */
function namesOf(annotations: Readonly<Record<string, string>>): readonly Reference[] {
  const full = annotations['io.containerd.image.name'];
  if (full !== undefined) return [tagged(full)];
  const reference = annotations['org.opencontainers.image.ref.name'];
  return reference === undefined || !/[:/]/.test(reference) ? [] : [tagged(reference)];
}

function tagged(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.tag === null) throw invalid(`invalid tag ${JSON.stringify(text)}`);
  return { ...reference, digest: null };
}
