/** Reading a manifest that a registry sends: bounded, and what its digest says. */
import { createHash } from 'node:crypto';
import { type EngineError, invalid } from '../model/errors.ts';
import { type Digest, parseDigest } from '../model/ids.ts';
import type { RemoteManifest } from './registry.ts';
import type { Answer, Wire } from './wire.ts';

/** As registries themselves allow (source: OCI distribution spec, "Pushing Manifests"). */
const mostManifestBytes = 4 * 1024 * 1024;

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
/** The old form is taken too, so that a pull can say what it is instead of "not found". */
export const acceptedManifests = [...manifestTypes, 'application/vnd.docker.distribution.manifest.v1+prettyjws'].join(
  ', ',
);

/** `wanted`: the digest that was asked for, or null for a tag. `what`: the name to show in errors. */
export async function readManifest(
  wire: Wire,
  answer: Answer,
  request: { readonly wanted: Digest | null; readonly what: string; readonly signal: AbortSignal },
): Promise<RemoteManifest> {
  const { wanted, what, signal } = request;
  const bytes = await boundedBytes(wire, answer, request);
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  const told = wanted ?? toldDigest(answer, what);
  if (told !== null && told !== digest)
    throw invalid(`manifest verification failed for digest ${told}: the bytes of ${what} have the digest ${digest}`);
  signal.throwIfAborted();
  return { digest, mediaType: mediaTypeOf(answer, bytes, what), sizeBytes: bytes.length, bytes };
}

/** What a HEAD tells; null when it does not tell enough. */
export function manifestFacts(answer: Answer, what: string): Omit<RemoteManifest, 'bytes'> | null {
  const digest = toldDigest(answer, what);
  const size = answer.headers['content-length'];
  const mediaType = contentType(answer);
  if (digest === null || size === undefined || !manifestTypes.includes(mediaType)) return null;
  return { digest, mediaType, sizeBytes: Number(size) };
}

async function boundedBytes(
  wire: Wire,
  answer: Answer,
  { what, signal }: { readonly what: string; readonly signal: AbortSignal },
): Promise<Buffer> {
  const tooLarge = (): EngineError => invalid(`the manifest of ${what} is larger than ${mostManifestBytes} bytes`);
  if (Number(answer.headers['content-length'] ?? 0) > mostManifestBytes) {
    answer.body.destroy();
    throw tooLarge();
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of wire.bytes(answer, signal)) {
    size += chunk.length;
    if (size > mostManifestBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Other algorithms than sha256 are passed over: the bytes of a tag have no other proof than TLS then. */
function toldDigest(answer: Answer, what: string): Digest | null {
  const header = answer.headers['docker-content-digest'];
  if (typeof header !== 'string' || header === '' || /^sha(384|512):[0-9a-f]+$/.test(header)) return null;
  try {
    return parseDigest(header);
  } catch (error) {
    throw invalid(`the registry sends a digest for ${what} that is none: ${JSON.stringify(header.slice(0, 100))}`, {
      cause: error,
    });
  }
}

/** The header and the document must not name different kinds: one reader would see an image where another sees an index (CVE-2021-41190). */
function mediaTypeOf(answer: Answer, bytes: Buffer, what: string): string {
  const header = contentType(answer);
  const inside = mediaTypeInside(bytes, what);
  const isHeaderKnown = header.startsWith('application/vnd.');
  if (inside !== '' && isHeaderKnown && inside !== header)
    throw invalid(`the manifest of ${what} says "${inside}" of itself, the registry says "${header}"`);
  return isHeaderKnown || inside === '' ? header : inside;
}

function mediaTypeInside(bytes: Buffer, what: string): string {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw invalid(`the manifest of ${what} is no JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw invalid(`the manifest of ${what} is no JSON object`);
  const { mediaType } = document as { readonly mediaType?: unknown };
  return typeof mediaType === 'string' ? mediaType : '';
}

function contentType(answer: Answer): string {
  return (answer.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}
