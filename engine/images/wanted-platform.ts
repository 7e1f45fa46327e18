/** `--platform` of a create: does the image that is here fit what was asked for? (Source: containerd's platform specifiers.) */
import { invalid, notFound } from '../model/errors.ts';
import { hostPlatform, normalised } from './archive/platform.ts';
import type { ImageConfig } from './image.ts';
import { JsonFields } from './json-fields.ts';

export interface WantedPlatform {
  readonly os: string;
  readonly architecture: string;
  /** Empty: any. */
  readonly variant: string;
  /** As it was written. */
  readonly shown: string;
}

type ImagePlatform = Pick<ImageConfig, 'os' | 'architecture' | 'variant'>;

const systems = ['linux', 'windows', 'darwin', 'freebsd'];
const architectures = [
  '386', 'amd64', 'arm', 'arm64', 'loong64', 'mips64le', 'ppc64le', 'riscv64', 's390x', 'x86_64', 'x86-64', 'aarch64', 'armhf',
]; // prettier-ignore

/** `linux/arm64/v8`, `linux`, `arm64`; null when nothing is asked. Throws `invalid` in containerd's words. */
export function parseWantedPlatform(text: string): WantedPlatform | null {
  if (text === '') return null;
  const parts = text.toLowerCase().split('/');
  const [first = '', second, variant = ''] = parts;
  if (parts.length > 3 || parts.some((part) => !/^[\w.-]+$/.test(part)))
    throw invalid(`"${text}": cannot parse platform specifier: invalid argument`);
  if (second !== undefined) return wanted({ os: first, architecture: second, variant }, text);
  const host = hostPlatform();
  if (systems.includes(first)) return wanted({ os: first, ...host }, text);
  if (architectures.includes(first)) return wanted({ os: 'linux', architecture: first, variant: '' }, text);
  throw invalid(`"${text}": unknown operating system or architecture: invalid argument`);
}

/** `{"os":"linux","architecture":"arm64"}`, as queries of the API have it. Throws `invalid` in docker's words. */
export function parsePlatformDocument(text: string): WantedPlatform {
  let fields: JsonFields;
  try {
    fields = new JsonFields(JSON.parse(text), 'platform');
  } catch (error) {
    throw invalid(`failed to parse platform: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const [os, architecture] = [fields.text('os'), fields.text('architecture')];
  if (os === '' || architecture === '') throw invalid('both OS and Architecture must be provided');
  const platform = { os, architecture, variant: fields.text('variant') };
  return wanted(platform, platformText(platform));
}

function wanted(platform: ImagePlatform, text: string): WantedPlatform {
  const { os, variant } = platform;
  const { architecture } = normalised(platform.architecture, variant);
  return { os, architecture, variant, shown: text.includes('/') ? text : `${os}/${architecture}` };
}

/** Throws `not-found` in dockerd's words, at which the docker CLI pulls the right one. */
export function assertPlatform(
  image: ImagePlatform,
  wish: { readonly platform: WantedPlatform; readonly name: string },
): void {
  const { platform, name } = wish;
  if (platformFits(image, platform)) return;
  throw notFound(
    `image with reference ${name} was found but its platform (${platformText(image)}) does not match the specified platform (${platform.shown})`,
  );
}

/** What to tell who asked for no platform and gets an image that this computer may not be able to run; null when it can. */
export function foreignPlatformWarning(image: ImagePlatform): string | null {
  const { architecture, variant } = hostPlatform();
  if (image.architecture === '' || normalised(image.architecture, image.variant).architecture === architecture)
    return null;
  const host = platformText({ os: 'linux', architecture, variant });
  return `The requested image's platform (${platformText(image)}) does not match the detected host platform (${host}) and no specific platform was requested`;
}

/** Whether an image can be used where this platform is asked for. */
export function platformFits(image: ImagePlatform, platform: WantedPlatform): boolean {
  const own = normalised(image.architecture, image.variant);
  const variant = platform.variant === '' ? own.variant : normalised(platform.architecture, platform.variant).variant;
  return image.os === platform.os && own.architecture === platform.architecture && own.variant === variant;
}

function platformText({ os, architecture, variant }: ImagePlatform): string {
  return [os, architecture, variant].filter((part) => part !== '').join('/');
}
