/**
 * Fetches Debian's packages and unpacks them, without installing anything: apt (through mmdebstrap) resolves, downloads
 * and verifies them against Debian's signatures; no script of theirs is run. The mirror is the one that this computer
 * already uses for its own Debian, with the release name exchanged.
 */
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../machines.ts';
import type { Architecture, RecipeData } from './recipe.ts';
import { runProgram } from './programs.ts';

export interface AptSource {
  readonly uri: string;
  /** As this computer names it: `bookworm`, `bookworm-security`. */
  readonly suite: string;
  /** Keyring files that may sign it; empty: apt's trusted ones. */
  readonly signedBy: readonly string[];
}

/** Unpacks the recipe's packages and their dependencies into `folder` and returns `name version` of each, sorted. */
export async function unpackDebianPackages(options: {
  readonly recipe: RecipeData;
  readonly arch: Architecture;
  readonly folder: string;
  readonly sources: readonly string[];
  readonly signal: AbortSignal;
}): Promise<readonly string[]> {
  const { recipe, arch, folder, signal } = options;
  const archive = `${folder}.tar`;
  const listFile = 'skiff-packages';
  await runProgram({
    program: 'mmdebstrap',
    arguments: [
      '--quiet',
      '--variant=extract',
      '--format=tar',
      `--architectures=${arch}`,
      `--include=${recipe.packages.map((name) => name.replaceAll('{arch}', arch)).join(',')}`,
      // The versions stand in the names of the downloaded archives, which mmdebstrap removes afterwards.
      `--extract-hook=ls "$1/var/cache/apt/archives" > "$1/${listFile}"`,
      recipe.suite,
      archive,
      '-',
    ],
    // The sources go in by standard input: a mirror's address may hold a password, and arguments are for all to see.
    input: `${options.sources.join('\n')}\n`,
    timeoutMs: 15 * 60_000,
    signal,
  });
  await mkdir(folder);
  await runProgram({
    program: 'tar',
    arguments: [
      '-xf',
      archive,
      '-C',
      folder,
      '--no-same-owner',
      '--exclude=./dev',
      '--exclude=./usr/share/doc',
      '--exclude=./usr/share/man',
    ],
    timeoutMs: 5 * 60_000,
    signal,
  });
  await rm(archive);
  return parsePackageList(await readFile(join(folder, listFile), 'utf8'));
}

/** From `busybox-static_1%3a1.37.0-6_amd64.deb` to `busybox-static 1:1.37.0-6`. */
export function parsePackageList(listing: string): readonly string[] {
  return listing
    .split('\n')
    .map((line) => /^([^_]+)_([^_]+)_[^_]+\.deb$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name = '', version = '']) => `${name} ${decodeURIComponent(version)}`)
    .sort();
}

/** apt's one-line sources for `suite`, out of what this computer uses for the release it runs itself. */
export function sourcesForSuite({
  sources,
  ownCodename,
  suite,
}: {
  sources: readonly AptSource[];
  ownCodename: string;
  suite: string;
}): readonly string[] {
  const lines = sources
    .filter(
      (source) =>
        source.suite === ownCodename ||
        ['-updates', '-security'].some((pocket) => source.suite === ownCodename + pocket),
    )
    .map((source) => {
      const keys = source.signedBy.length === 0 ? '' : `[signed-by=${source.signedBy.join(',')}] `;
      return `deb ${keys}${source.uri} ${source.suite.replace(ownCodename, suite)} main`;
    });
  return [...new Set(lines)];
}

/** Reads this computer's own sources. Throws `image-unavailable` where they name no Debian mirror. */
export async function findDebianSources({
  suite,
  etc = '/etc',
}: {
  suite: string;
  etc?: string;
}): Promise<readonly string[]> {
  const release = await readFile(join(etc, 'os-release'), 'utf8').catch(() => '');
  const ownCodename = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1];
  const isDebian = /^ID="?debian"?$/m.test(release);
  const sources =
    isDebian && ownCodename !== undefined
      ? sourcesForSuite({ sources: await readAptSources(join(etc, 'apt')), ownCodename, suite })
      : [];
  if (sources.length === 0) {
    throw new MachineError(
      'image-unavailable',
      "The machine image is built from Debian's packages, and this computer's package sources name no Debian mirror. " +
        'Build it on a Debian computer, or set the address of a ready image in the settings.',
    );
  }
  return sources;
}

async function readAptSources(apt: string): Promise<readonly AptSource[]> {
  const names = await readdir(join(apt, 'sources.list.d')).catch(() => []);
  const files = [join(apt, 'sources.list'), ...names.sort().map((name) => join(apt, 'sources.list.d', name))];
  const texts = await Promise.all(
    files.map(async (path) => ({ path, text: await readFile(path, 'utf8').catch(() => '') })),
  );
  return texts.flatMap(({ path, text }) =>
    path.endsWith('.sources') ? parseDeb822Sources(text) : path.endsWith('.list') ? parseOneLineSources(text) : [],
  );
}

/** sources.list(5), "deb822-style format". Disabled stanzas and those without `main` are left out. */
export function parseDeb822Sources(text: string): readonly AptSource[] {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const fields = new Map(
        stanza
          .replaceAll(/\n[ \t]+/g, ' ')
          .split('\n')
          .map((line) => /^([A-Za-z-]+):\s*(.*)$/.exec(line))
          .filter((match) => match !== null)
          .map(([, key = '', value = '']) => [key.toLowerCase(), value.trim()] as const),
      );
      const words = (key: string): string[] => (fields.get(key) ?? '').split(/\s+/).filter((word) => word !== '');
      if (
        fields.get('enabled')?.toLowerCase() === 'no' ||
        !words('types').includes('deb') ||
        !words('components').includes('main')
      )
        return [];
      const signedBy = words('signed-by').filter((key) => key.startsWith('/'));
      return words('uris').flatMap((uri) => words('suites').map((suite) => ({ uri, suite, signedBy })));
    });
}

/** sources.list(5), "one-line-style format". Only `signed-by` is taken of the options: nothing that would loosen verification. */
export function parseOneLineSources(text: string): readonly AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line.trim());
    if (match === null) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    if (!components.split(/\s+/).includes('main')) return [];
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(options)?.[1]?.split(',') ?? [];
    return [{ uri, suite, signedBy }];
  });
}
