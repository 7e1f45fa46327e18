import { randomBytes } from 'node:crypto';
import { invalid } from './errors.ts';

/** Ids are strings that only their parsers make, so that swapping two kinds does not compile. */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** 64 lower-case hexadecimal digits. */
export type ContainerId = Branded<'ContainerId'>;
export type ExecId = Branded<'ExecId'>;
export type NetworkId = Branded<'NetworkId'>;
export type EndpointId = Branded<'EndpointId'>;
/** `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = Branded<'Digest'>;
/** Digest of an image's config: what `docker images` shows. */
export type ImageId = Digest;
/** Digest of a layer's uncompressed tar. */
export type DiffId = Digest;
/** Identity of a layer on top of all those below it (source: OCI image spec, "Layer ChainID"). */
export type ChainId = Branded<'ChainId'>;

const hex64 = /^[0-9a-f]{64}$/;

export function newContainerId(): ContainerId {
  return randomHex64() as ContainerId;
}

export function newExecId(): ExecId {
  return randomHex64() as ExecId;
}

export function parseExecId(text: string): ExecId {
  if (!hex64.test(text)) throw invalid(`invalid exec id: ${text}`);
  return text as ExecId;
}

export function newNetworkId(): NetworkId {
  return randomHex64() as NetworkId;
}

export function newEndpointId(): EndpointId {
  return randomHex64() as EndpointId;
}

export function parseContainerId(text: string): ContainerId {
  if (!hex64.test(text)) throw invalid(`invalid container id: ${text}`);
  return text as ContainerId;
}

/** Refuses everything but sha256, so that a digest may stand in a path. */
export function parseDigest(text: string): Digest {
  if (!text.startsWith('sha256:') || !hex64.test(text.slice(7))) throw invalid(`invalid digest: ${text}`);
  return text as Digest;
}

export function parseChainId(text: string): ChainId {
  return parseDigest(text) as string as ChainId;
}

/** The 64 digits of a digest or chain id: a safe file name. */
export function hexOf(digest: Digest | ChainId): string {
  return digest.slice(7);
}

/** A hostname of twelve digits only would be read as a number by some resolvers: such ids are thrown again. */
function randomHex64(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d{12}/.test(id)) return id;
  }
}
