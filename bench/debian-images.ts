/**
 * Images made from real Debian packages, kept in the user's cache: what benchmarks pull, load and save. The files of the packages are cut
 * into layers in the order of their names; blobs are gzip at the level that registries mostly have.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { fetchPackages, userCache } from '../test/peers/debian-packages.ts';

export interface ImageRecipe {
  readonly name: string;
  readonly packages: readonly string[];
  /** A file of theirs, relative. */
  readonly proof: string;
  readonly layers: number;
  /** Takes so many files and symlinks at most; all when left out. */
  readonly mostFiles?: number;
}

export interface MadeImage {
  readonly name: string;
  readonly config: Buffer;
  readonly layers: readonly MadeLayer[];
}

export interface MadeLayer {
  /** Absolute path of the gzip. */
  readonly file: string;
  /** `sha256:…` of the gzip. */
  readonly digest: string;
  readonly diffId: string;
  readonly sizeBytes: number;
  readonly tarBytes: number;
}

export const recipes = {
  twelve: {
    name: 'twelve',
    packages: ['git', 'vim-runtime', 'python3-numpy', 'python3-scipy', 'python3-pandas', 'cmake-data', 'perl-base'],
    proof: 'usr/bin/git',
    layers: 12,
  },
  small: {
    name: 'small',
    packages: ['papirus-icon-theme', 'breeze-icon-theme', 'oxygen-icon-theme'],
    proof: 'usr/share/icons/Papirus/index.theme',
    layers: 1,
    mostFiles: 60_000,
  },
  forty: { name: 'forty', packages: ['git', 'vim-runtime'], proof: 'usr/bin/git', layers: 40 },
} as const satisfies Readonly<Record<string, ImageRecipe>>;

/** Made once, then taken from the cache. */
export function debianImage(recipe: ImageRecipe): MadeImage {
  const folder = path.join(userCache(), 'bench-images', recipe.name);
  if (!existsSync(path.join(folder, 'config.json'))) make(recipe, folder);
  const layers = globSync('*.json', { cwd: path.join(folder, 'layers') })
    .sort()
    .map((name) => {
      const facts = JSON.parse(readFileSync(path.join(folder, 'layers', name), 'utf8')) as Omit<MadeLayer, 'file'>;
      return { ...facts, file: path.join(folder, 'layers', name.replace('.json', '.tar.gz')) };
    });
  return { name: recipe.name, config: readFileSync(path.join(folder, 'config.json')), layers };
}

/** The same image with a small layer more on top: what a new version of an image mostly is. */
export function nextVersion(image: MadeImage): MadeImage {
  const folder = path.join(userCache(), 'bench-images', `${image.name}-next`);
  mkdirSync(path.join(folder, 'tree/app'), { recursive: true });
  for (let index = 0; index < 200; index++)
    writeFileSync(path.join(folder, `tree/app/${index}`), `${index} of the new version\n`.repeat(500));
  const layer = pack({ root: path.join(folder, 'tree'), names: ['app'], file: path.join(folder, 'top') });
  const layers = [...image.layers, layer];
  return { name: `${image.name}-next`, config: configOf(layers), layers };
}

function make(recipe: ImageRecipe, folder: string): void {
  const root = fetchPackages({ cacheFolder: userCache(), ...recipe, name: `bench-${recipe.name}` });
  const fresh = `${folder}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(path.join(fresh, 'layers'), { recursive: true });
  // Not through links: a path of an archive goes through folders.
  const names = execFileSync('find', ['.', '!', '-type', 'd', '-printf', '%P\\t%s\\n'], {
    cwd: root,
    maxBuffer: 2 ** 28,
  })
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => ({ name: line.split('\t')[0] ?? '', sizeBytes: Number(line.split('\t')[1]) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, recipe.mostFiles);
  const total = names.reduce((sum, { sizeBytes }) => sum + sizeBytes + 512, 0);
  const parts: string[][] = Array.from({ length: recipe.layers }, () => []);
  let soFar = 0;
  for (const { name, sizeBytes } of names) {
    parts[Math.min(recipe.layers - 1, Math.floor((soFar / total) * recipe.layers))]?.push(name);
    soFar += sizeBytes + 512;
  }
  const layers = parts.map((part, index) =>
    pack({ root, names: part, file: path.join(fresh, 'layers', String(index).padStart(2, '0')) }),
  );
  writeFileSync(path.join(fresh, 'config.json'), configOf(layers));
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
}

/** `file`: without its ending. */
function pack(what: { readonly root: string; readonly names: readonly string[]; readonly file: string }): MadeLayer {
  const words = ['-C', what.root, '--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@1700000000'];
  const tar = execFileSync('tar', [...words, '-c', '--no-unquote', '-T', '-'], {
    input: what.names.join('\n'),
    maxBuffer: 2 ** 31,
  });
  const blob = gzipSync(tar);
  const facts = { digest: sha256(blob), diffId: sha256(tar), sizeBytes: blob.length, tarBytes: tar.length };
  writeFileSync(`${what.file}.tar.gz`, blob);
  writeFileSync(`${what.file}.json`, JSON.stringify(facts));
  return { ...facts, file: `${what.file}.tar.gz` };
}

function configOf(layers: readonly { readonly diffId: string }[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: { Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map((_, index) => ({ created: '2026-01-01T00:00:00Z', created_by: `layer ${index}` })),
    }),
  );
}

export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
