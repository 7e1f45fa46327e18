/** What stands behind a name at a registry, without pulling it: its descriptor and its platforms. */
import { familiarReference, type Reference } from '../images/reference.ts';
import { invalid } from '../model/errors.ts';
import { type Digest, parseDigest } from '../model/ids.ts';
import type { CallOptions, Repository } from './registry.ts';

export interface RemoteDescription {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly platforms: readonly RemotePlatform[];
}

/** As the document has it: what it does not say is not there. */
export interface RemotePlatform {
  readonly architecture: string;
  readonly os: string;
  readonly osVersion: string;
  readonly osFeatures: readonly string[];
  readonly variant: string;
}

const mostConfigBytes = 8 * 1024 * 1024;

/** `reference` has a tag or a digest. Throws `not-found`, `invalid` for what is no image. */
export async function describeRemote(
  repository: Repository,
  reference: Reference,
  options: CallOptions,
): Promise<RemoteDescription> {
  const manifest = await repository.manifest(reference.digest ?? reference.tag ?? 'latest', options);
  const { mediaType, digest, sizeBytes, bytes } = manifest;
  const document = objectOf(JSON.parse(bytes.toString('utf8')));
  const { manifests, config } = document;
  if (Array.isArray(manifests)) {
    const platforms = manifests.flatMap((entry) => platformOf(objectOf(objectOf(entry)['platform'])));
    return { mediaType, digest, sizeBytes, platforms };
  }
  const configDigest = objectOf(config)['digest'];
  if (typeof configDigest !== 'string')
    throw invalid(`${familiarReference(reference)} is no image and no list of images ("${mediaType}")`);
  const described = platformOf(await readConfig(repository, parseDigest(configDigest), options));
  return { mediaType, digest, sizeBytes, platforms: described };
}

async function readConfig(
  repository: Repository,
  digest: Digest,
  options: CallOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of (await repository.blob(digest, { ...options, offset: 0 })).bytes) {
    size += chunk.length;
    if (size > mostConfigBytes) throw invalid(`the config ${digest} is larger than ${mostConfigBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return objectOf(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    throw invalid(`the config ${digest} is no JSON`, { cause: error });
  }
}

/** In a list, so that what names none may be left out. */
function platformOf(fields: Readonly<Record<string, unknown>>): readonly RemotePlatform[] {
  const text = (name: string): string => {
    const value = fields[name];
    return typeof value === 'string' ? value : '';
  };
  const features = fields['os.features'];
  return [
    {
      architecture: text('architecture'),
      os: text('os'),
      osVersion: text('os.version'),
      osFeatures: Array.isArray(features) ? features.filter((item): item is string => typeof item === 'string') : [],
      variant: text('variant'),
    },
  ];
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
