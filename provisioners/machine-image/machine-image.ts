/**
 * The machine image: the Linux system that Skiff's own machines boot: a kernel, an initial root that only finds the system
 * disk, the system disk (erofs, read-only, the same for all machines), and an EFI program of kernel and another initial root, out of which
 * disks are made for hypervisors that boot by firmware (bootable-disk.ts). Whatever a machine keeps lies on
 * its data disk, who it is comes from its seed (seed.ts), so an image can be exchanged under a machine at any start.
 *
 * `ensureMachineImage` is all that others need: it returns the image from the cache, or builds it there (on a Debian
 * computer, by build.ts), or downloads it (release.ts). resources/machine-image/README.md describes what is in it.
 *
 *     const image = await ensureMachineImage({ arch: 'amd64', cacheDir: cacheFolder(), source: { kind: 'build' } }, operation);
 *     // image.kernel, image.initrd, image.systemDisk, image.commandLine: what a driver boots
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { isErrno } from '../store/atomic-file.ts';
import { type DiskRun, ensureBootableDisk } from './bootable-disk.ts';
import { buildMachineImage } from './build.ts';
import { buildFolder, lockImage, publishImage, readVerifiedImage, removeDeadBuilds } from './cache.ts';
import type { Manifest } from './manifest.ts';
import { checkoutNodeVersion } from './node-runtime.ts';
import { findOldImages, imagesFolder, type IsInUse, noteImageUse } from './old-images.ts';
import { type Architecture, readRecipe, recipeFolder, recipeHash } from './recipe.ts';
import { downloadImage, type ReleasedImage } from './release.ts';

export type ImageSource =
  { readonly kind: 'build'; readonly recipeFolder?: string } | ({ readonly kind: 'release' } & ReleasedImage);

export interface MachineImage {
  /** Everything below lies in it. Never changed once it is there. */
  readonly folder: string;
  readonly kernel: string;
  readonly initrd: string;
  /** Raw erofs image. */
  readonly systemDisk: string;
  readonly commandLine: string;
  readonly manifest: Manifest;
  /** Path of the raw disk that EFI firmware boots by itself, made when it is first asked for (bootable-disk.ts). */
  bootableDisk(run: DiskRun): Promise<string>;
}

export interface EnsureMachineImage {
  readonly arch: Architecture;
  /** Skiff's cache folder (`cacheFolder()`); images lie in `machine-images` below it. */
  readonly cacheDir: string;
  readonly source: ImageSource;
  /** How long another process that is making the same image is waited for. */
  readonly waitMs?: number;
  /** Images that machines were booted from stay when a new one is made; default: none is known to. */
  readonly isInUse?: IsInUse;
}

/**
 * The verified image. Throws MachineError: `image-unavailable` when it can neither be found nor made here (the message names
 * what is missing), `image-corrupt` when a download is not what its digest says; then nothing of it is kept.
 */
export async function ensureMachineImage(request: EnsureMachineImage, operation: Operation): Promise<MachineImage> {
  const images = imagesFolder(request.cacheDir);
  const plan = await planFor(request);
  const folder = join(images, plan.name);
  const present = await readVerifiedImage(folder).catch(ignoreDamage);
  if (present !== null) {
    await noteImageUse(folder);
    return machineImage({ folder, manifest: present });
  }
  await using _lock = await lockImage({
    images,
    name: plan.name,
    timeoutMs: request.waitMs ?? 20 * 60_000,
    signal: operation.signal,
    onWait: () =>
      operation.report({
        step: 'image-wait',
        title: 'Waiting for another Skiff that is making the machine image',
        state: 'running',
        elapsedMs: 0,
      }),
  });
  const made = await readVerifiedImage(folder).catch(ignoreDamage);
  if (made !== null) return machineImage({ folder, manifest: made });
  try {
    const manifest = await plan.make({ images, folder, operation });
    await noteImageUse(folder);
    await removeOldImages(request, operation);
    return machineImage({ folder, manifest });
  } catch (error) {
    throw isOutOfSpace(error)
      ? new MachineError(
          'no-space',
          `There is no space left for the machine image in ${images}: it takes ${plan.needs}.`,
          { cause: error },
        )
      : error;
  }
}

/** A new one is the moment at which an older one may have become the last of its machines'. */
async function removeOldImages({ cacheDir, isInUse }: EnsureMachineImage, operation: Operation): Promise<void> {
  const old = await findOldImages({ cacheDir, isInUse: isInUse ?? (() => Promise.resolve(false)), nowMs: Date.now() });
  if (old.length === 0) return;
  for (const image of old) await image.remove();
  const megabytes = Math.round(old.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 1e6);
  const what = old.length === 1 ? 'a machine image' : `${old.length} machine images`;
  const title = `Removed ${what} that nothing used for a week (${megabytes} MB)`;
  operation.report({ step: 'old-images', title, state: 'done', elapsedMs: 0 });
}

/** A damaged image is made again: it is a copy of something, nobody's only one. */
function ignoreDamage(error: unknown): null {
  if (error instanceof MachineError && error.code === 'image-corrupt') return null;
  throw error;
}

/** Node says it by code, the programs that the builder runs by the C library's words. */
function isOutOfSpace(error: unknown): boolean {
  return isErrno(error, 'ENOSPC') || (error instanceof Error && error.message.includes('No space left on device'));
}

interface Making {
  readonly images: string;
  readonly folder: string;
  readonly operation: Operation;
}

interface Plan {
  /** Of the image's folder in the cache. */
  readonly name: string;
  /** Space, in words. */
  readonly needs: string;
  readonly make: (making: Making) => Promise<Manifest>;
}

async function planFor({ arch, source }: EnsureMachineImage): Promise<Plan> {
  if (source.kind === 'release') return releasePlan({ arch, release: source });
  const recipe = readRecipe(source.recipeFolder ?? recipeFolder);
  const nodeVersion = await checkoutNodeVersion();
  const name = recipeHash({ recipe, arch, nodeVersion });
  return {
    name,
    needs: 'about 1.2 GB while it is built (also in the folder for temporary files), 250 MB afterwards',
    make: async ({ images, folder, operation }) => {
      await removeDeadBuilds({ images, own: name });
      const making = buildFolder({ images, name });
      const [output, work] = [join(making, 'image'), join(making, 'work')];
      await mkdir(output, { recursive: true });
      await mkdir(work);
      try {
        const manifest = await buildMachineImage({ recipe, arch, nodeVersion, output, work }, operation);
        await publishImage({ made: output, folder });
        return manifest;
      } finally {
        await rm(making, { recursive: true, force: true });
      }
    },
  };
}

function releasePlan({ arch, release }: { arch: Architecture; release: ReleasedImage }): Plan {
  if (!/^[0-9a-f]{64}$/.test(release.sha256)) {
    throw new MachineError(
      'invalid-setting',
      `The digest of the machine image, '${release.sha256}', is not a SHA-256 in hex.`,
    );
  }
  const name = `release-${release.sha256.slice(0, 16)}`;
  return {
    name,
    needs: 'about 250 MB',
    make: async ({ images, folder, operation }) => {
      // Kept when the download breaks off, so that the next try goes on from there.
      const making = join(images, `.${name}.download`);
      await mkdir(making, { recursive: true });
      const manifest = await downloadImage({ release, folder: making }, operation);
      if (manifest.arch !== arch) {
        await rm(making, { recursive: true });
        throw new MachineError(
          'image-unavailable',
          `The machine image at ${release.url} is for ${manifest.arch}, this machine needs ${arch}.`,
        );
      }
      await publishImage({ made: making, folder });
      return manifest;
    },
  };
}

function machineImage({ folder, manifest }: { folder: string; manifest: Manifest }): MachineImage {
  const systemDisk = join(folder, 'system.erofs');
  const parts = { arch: manifest.arch, kernelFile: join(folder, 'boot.efi'), systemFile: systemDisk };
  return {
    folder,
    kernel: join(folder, 'kernel'),
    initrd: join(folder, 'initrd'),
    systemDisk,
    commandLine: manifest.commandLine,
    manifest,
    bootableDisk: (run) => ensureBootableDisk({ folder, parts }, run),
  };
}
