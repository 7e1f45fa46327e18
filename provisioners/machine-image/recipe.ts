/**
 * The recipe of the machine image is data (resources/machine-image/): which Debian packages, which of their files, which
 * kernel modules, and the scripts that bring the machine up. Its hash is the image's name in the cache: change a byte
 * of the recipe, and the next start makes a new image beside the old one.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { MachineError } from '../machines.ts';

export const architectures = ['amd64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** npm's, the GNU toolchain's and EFI's names for one architecture, and its first serial port's. */
export const architectureNames: Readonly<
  Record<Architecture, { npm: string; triplet: string; efi: string; console: string }>
> = {
  amd64: { npm: 'x64', triplet: 'x86_64-linux-gnu', efi: 'x64', console: 'ttyS0' },
  arm64: { npm: 'arm64', triplet: 'aarch64-linux-gnu', efi: 'aa64', console: 'ttyAMA0' },
};

/** Counts changes of the builder that change the bytes of an image made from the same recipe. */
const builderVersion = 3;

const relativePath = z
  .string()
  .regex(/^[^/]/)
  .refine((path) => !path.split('/').includes('..'));

const recipeSchema = z.strictObject({
  format: z.literal(1),
  /** Debian's code name of the release that the packages are from. */
  suite: z.string(),
  /** `{arch}` stands for Debian's name of the architecture. Their dependencies are looked through too, but only what is named below is taken. */
  packages: z.array(z.string()),
  /** Programs and files taken from the packages; the libraries that the programs need come by themselves. */
  files: z.array(relativePath),
  /** Libraries that no program names because they are opened at run time. */
  libraries: z.array(z.string()),
  directories: z.array(relativePath),
  /** Path of a symbolic link, and its target as it stands in the link. */
  links: z.record(relativePath, z.string()),
  /** busybox's commands, by the folder in which a link to it stands. */
  applets: z.record(relativePath, z.array(z.string())),
  /** Kernel modules by name, or whole folders of the module tree (`kernel/net/netfilter/`); what they depend on comes by itself. */
  modules: z.strictObject({
    /** Needed to mount the system disk. */
    initrd: z.array(z.string()),
    /** In the initial root of the bootable disk: for the hardware of all hypervisors; those that this kernel does not have are left out. */
    anyHardware: z.array(z.string()),
    /** Loaded by the boot scripts. */
    boot: z.array(z.string()),
    /** Loaded before the engine starts. */
    engine: z.array(z.string()),
    /** Loaded once the engine answers, for its firewall and for containers. */
    containers: z.array(z.string()),
    /** Loaded by the kernel when a container first needs them. Those that this kernel does not have are left out. */
    onDemand: z.array(z.string()),
  }),
  /** What every machine's kernel is told; `{console}` stands for the serial port. The driver adds what its hypervisor needs. */
  commandLine: z.string(),
});

export type RecipeData = z.infer<typeof recipeSchema>;

export interface Recipe {
  readonly folder: string;
  readonly data: RecipeData;
  /** SHA-256 over all files of the recipe, hex. */
  readonly filesSha256: string;
}

/** Where the recipe lies in a checkout. */
export const recipeFolder = fileURLToPath(new URL('../../resources/machine-image/', import.meta.url));

/** Reads and checks the recipe. Throws `image-unavailable` when it is absent (a packaged app has none) or malformed. */
export function readRecipe(folder: string = recipeFolder): Recipe {
  let text: string;
  try {
    text = readFileSync(join(folder, 'recipe.json'), 'utf8');
  } catch (error) {
    throw new MachineError('image-unavailable', `There is no recipe for the machine image in ${folder}.`, {
      cause: error,
    });
  }
  const parsed = recipeSchema.safeParse(JSON.parse(text));
  if (!parsed.success) {
    throw new MachineError(
      'image-unavailable',
      `The recipe ${join(folder, 'recipe.json')} is malformed: ${z.prettifyError(parsed.error)}`,
    );
  }
  return { folder, data: parsed.data, filesSha256: hashTree(folder) };
}

/** The name of the image that this recipe makes: 16 hex digits. */
export function recipeHash({
  recipe,
  arch,
  nodeVersion,
}: {
  recipe: Recipe;
  arch: Architecture;
  nodeVersion: string;
}): string {
  const text = JSON.stringify({ builderVersion, files: recipe.filesSha256, arch, nodeVersion });
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * SHA-256 over names, kinds, executable bits and contents of all that gets into an image: the recipe and its `root` and
 * `initrd` trees. Prose and the build program are left out: a better sentence must not cost everybody a new image.
 */
function hashTree(folder: string): string {
  const hash = createHash('sha256');
  const visit = (path: string): void => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true }).sort(byName)) {
      const name = path === '' ? entry.name : `${path}/${entry.name}`;
      if (path === '' && !['recipe.json', 'root', 'initrd'].includes(name)) continue;
      const full = join(folder, name);
      if (entry.isDirectory()) visit(name);
      else if (entry.isSymbolicLink()) hash.update(`link ${name}\0${readlinkSync(full)}\0`);
      else {
        const content = readFileSync(full);
        hash
          .update(`file ${name}\0${(statSync(full).mode & 0o100) === 0 ? '-' : 'x'} ${content.length}\0`)
          .update(content);
      }
    }
  };
  visit('');
  return hash.digest('hex');
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}
