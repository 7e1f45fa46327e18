/**
 * Builds the machine image: kernel, initrd, read-only system disk and EFI program, out of Debian's packages and npm's Node. Needs a
 * Debian computer with the programs of host-packages.ts, but not root: nothing is mounted, nothing is installed, no
 * program of the image is run, so an image for the other architecture is built the same way.
 *
 * The same recipe, package versions and Node version give the same bytes: all that could differ (owners, times, order,
 * identifiers) is set here or sorted.
 */
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../machines.ts';
import { type Operation, runStep } from '../progress.ts';
import { findDebianSources, unpackDebianPackages } from './debian-packages.ts';
import { buildPrograms, missingImageBuildPackages } from './host-packages.ts';
import { unpackKernel } from './kernel-file.ts';
import { writeAnyHardwareInitrd, writeInitrd } from './initrd.ts';
import { ModuleTree } from './kernel-modules.ts';
import type { ImageFile, Manifest } from './manifest.ts';
import { installNodeRuntime, sha256OfFile } from './node-runtime.ts';
import { runProgram } from './programs.ts';
import { type Architecture, architectureNames, type Recipe, recipeHash } from './recipe.ts';
import { layOutSystemRoot } from './system-root.ts';
import { writeUnifiedKernel } from './unified-kernel.ts';

/** Of the system disk's file system; fixed, for a random one would make every build differ. */
const fileSystemId = '5c1f0000-5eed-4000-8000-736b69666600';

export interface ImageBuild {
  readonly recipe: Recipe;
  readonly arch: Architecture;
  readonly nodeVersion: string;
  /** Takes the files and the manifest; must exist and be empty. */
  readonly output: string;
  /** For what is in between (about 900 MB); must exist and be empty. The caller removes it. */
  readonly work: string;
}

export async function buildMachineImage(build: ImageBuild, operation: Operation): Promise<Manifest> {
  const { recipe, arch, work, output } = build;
  const missing = missingImageBuildPackages({ arch });
  if (missing.length > 0) {
    throw new MachineError(
      'image-unavailable',
      `Building the machine image needs programs that are not installed. Run: sudo apt-get install ${missing.join(' ')}`,
    );
  }
  const { signal } = operation;
  const commandLine = recipe.data.commandLine.replaceAll('{console}', architectureNames[arch].console);
  const packages = join(work, 'packages');
  const root = join(work, 'root');
  const versions = await runStep({ step: 'image-packages', title: "Fetching Debian's packages", operation }, async () =>
    unpackDebianPackages({
      recipe: recipe.data,
      arch,
      folder: packages,
      sources: await findDebianSources({ suite: recipe.data.suite }),
      signal,
    }),
  );
  const runtime = await runStep({ step: 'image-node', title: 'Fetching the Node runtime', operation }, () =>
    installNodeRuntime({
      version: build.nodeVersion,
      arch,
      folder: join(root, 'usr/lib/skiff/node'),
      work: join(work, 'npm'),
      strip: buildPrograms(arch).strip,
      signal,
    }),
  );
  await runStep({ step: 'image-system', title: 'Putting the system together', operation }, async () => {
    const kernelRelease = await findKernel(packages);
    const modules = await ModuleTree.open({ folder: join(packages, 'usr/lib/modules', kernelRelease), signal });
    await layOutSystemRoot({ recipe, arch, packages, root, modules, kernelRelease });
    const kernel = await readFile(join(packages, 'boot', `vmlinuz-${kernelRelease}`));
    const parts = { recipe, packages, modules };
    await writeFile(join(output, 'kernel'), unpackKernel(kernel));
    await writeFile(join(output, 'initrd'), await writeInitrd(parts));
    await writeFile(
      join(output, 'boot.efi'),
      writeUnifiedKernel({
        stub: await readFile(join(packages, `usr/lib/systemd/boot/efi/linux${architectureNames[arch].efi}.efi.stub`)),
        kernel,
        initrd: await writeAnyHardwareInitrd({ ...parts, kernelRelease }),
        // The screen takes the console where a hypervisor gave the machine no serial port.
        commandLine: `console=tty0 ${commandLine}`,
      }),
    );
    await writeSystemDisk({ root, path: join(output, 'system.erofs'), signal });
  });
  const manifest: Manifest = {
    format: 2,
    recipe: recipeHash({ recipe, arch, nodeVersion: build.nodeVersion }),
    arch,
    files: {
      kernel: await describeFile({ output, name: 'kernel' }),
      initrd: await describeFile({ output, name: 'initrd' }),
      'system.erofs': await describeFile({ output, name: 'system.erofs' }),
      'boot.efi': await describeFile({ output, name: 'boot.efi' }),
    },
    packages: [...versions],
    node: { version: runtime.version, sourceSha256: runtime.sourceSha256 },
    commandLine,
  };
  await writeFile(join(output, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** The release of the one kernel among the packages. */
async function findKernel(packages: string): Promise<string> {
  const kernels = (await readdir(join(packages, 'boot'))).filter((name) => name.startsWith('vmlinuz-'));
  const [kernel] = kernels;
  if (kernel === undefined || kernels.length > 1) {
    throw new MachineError(
      'image-unavailable',
      `The recipe's packages have ${kernels.length} kernels; an image has one.`,
    );
  }
  return kernel.slice('vmlinuz-'.length);
}

/**
 * An erofs image of `root`: everything owned by root, all times zero, no extended attributes. Not compressed: it would be
 * half as large (LZ4), and an emulated processor would need half a second more until Node runs.
 */
export async function writeSystemDisk({
  root,
  path,
  signal,
}: {
  root: string;
  path: string;
  signal: AbortSignal;
}): Promise<void> {
  await runProgram({
    program: 'mkfs.erofs',
    arguments: ['-T0', '-U', fileSystemId, '--all-root', '-x-1', path, root],
    timeoutMs: 10 * 60_000,
    signal,
  });
}

async function describeFile({
  output,
  name,
}: {
  output: string;
  name: ImageFile;
}): Promise<{ sha256: string; sizeBytes: number }> {
  const path = join(output, name);
  return { sha256: await sha256OfFile(path), sizeBytes: (await stat(path)).size };
}
