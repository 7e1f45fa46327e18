import { invalid } from '../../model/errors.ts';
import type { JsonFields } from '../json-fields.ts';

/** In Go's words, which images are labelled in: `amd64`, `arm64`, `arm` with variant `v7`. */
export interface HostPlatform {
  readonly architecture: string;
  /** Empty when there is none. */
  readonly variant: string;
}

/** What this process runs on. */
export function hostPlatform(architecture: string = process.arch): HostPlatform {
  switch (architecture) {
    case 'x64':
      return { architecture: 'amd64', variant: '' };
    case 'arm':
      return { architecture: 'arm', variant: 'v7' };
    case 'arm64':
      return { architecture: 'arm64', variant: 'v8' };
    default:
      return { architecture, variant: '' };
  }
}

/**
 * The descriptor of an index that fits best (source: containerd's platform matching): the same variant before a lower
 * one. Attestations stand in indexes too, as platform `unknown/unknown`. Throws `invalid` in docker's words when none fits.
 */
export function chooseManifest(
  descriptors: readonly JsonFields[],
  host: HostPlatform & { /** `linux` when left out. */ readonly os?: string },
): JsonFields {
  const { os = 'linux' } = host;
  const { architecture, variant } = normalised(host.architecture, host.variant);
  const ranked = descriptors
    .map((descriptor) => ({ descriptor, rank: rankOf(descriptor, { os, architecture, variant }) }))
    .filter((candidate) => candidate.rank !== null)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
  const best = ranked[0];
  if (best === undefined) {
    const shown = [os, host.architecture, host.variant].filter((part) => part !== '').join('/');
    throw invalid(`no matching manifest for ${shown} in the manifest list entries`);
  }
  return best.descriptor;
}

/** 0 is an exact fit, null none. A descriptor that names no platform fits, but after all that do. */
function rankOf(descriptor: JsonFields, host: HostPlatform & { readonly os: string }): number | null {
  if (!descriptor.has('platform')) return 100;
  const platform = descriptor.fields('platform');
  const { architecture, variant } = normalised(platform.text('architecture'), platform.text('variant'));
  if (platform.text('os') !== host.os) return null;
  if (architecture === host.architecture) return variantRank(variant, host.variant);
  return architecture === '386' && host.architecture === 'amd64' ? 50 : null;
}

/** The names that other systems have for it, and the variant that is meant when none is said. */
export function normalised(architecture: string, variant: string): HostPlatform {
  const names: Readonly<Record<string, string>> = {
    x86_64: 'amd64',
    'x86-64': 'amd64',
    aarch64: 'arm64',
    i386: '386',
    armhf: 'arm',
  };
  const name = names[architecture] ?? architecture;
  if (name === 'arm64' && variant === '') return { architecture: name, variant: 'v8' };
  if (name === 'arm' && variant === '') return { architecture: name, variant: 'v7' };
  return { architecture: name, variant };
}

/** A host of `v7` runs what is made for `v6`; nothing runs what is made for a newer one. */
function variantRank(variant: string, host: string): number | null {
  if (variant === host) return 0;
  const [wanted, own] = [Number(/^v(\d+)$/.exec(variant)?.[1] ?? 1), Number(/^v(\d+)$/.exec(host)?.[1] ?? 1)];
  return wanted <= own ? own - wanted : null;
}
