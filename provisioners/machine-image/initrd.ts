/**
 * The initial root: busybox, kernel modules, and the script that finds and mounts the system disk. In two forms: where a driver hands
 * the kernel over, hardware and disks are known, and nothing is looked for (it would cost an emulated processor tenths of seconds);
 * on the bootable disk it asks the hardware which modules it wants, and the disks what is on them. Not compressed: the kernel reads
 * it quicker than it unpacks it.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { moduleFiles, moduleFolder, type ModuleTree } from './kernel-modules.ts';
import type { Recipe } from './recipe.ts';

export interface InitrdParts {
  readonly recipe: Recipe;
  /** Unpacked packages. */
  readonly packages: string;
  readonly modules: Pick<ModuleTree, 'closure' | 'has'>;
}

export async function writeInitrd(parts: InitrdParts): Promise<Buffer> {
  const modules = await parts.modules.closure(parts.recipe.data.modules.initrd);
  return writeCpio([
    ...(await frame(parts)),
    directory('modules'),
    file('modules/order', Buffer.from(modules.map(({ name }) => `${name}.ko\n`).join(''))),
    ...modules.map(({ name, data }) => file(`modules/${name}.ko`, data)),
  ]);
}

export async function writeAnyHardwareInitrd(parts: InitrdParts & { readonly kernelRelease: string }): Promise<Buffer> {
  const { recipe, modules, kernelRelease } = parts;
  const { initrd, anyHardware } = recipe.data.modules;
  const wanted = await modules.closure([...initrd, ...anyHardware.filter((name) => modules.has(name))]);
  const files = moduleFiles(wanted).map(({ path, data }) => file(`${moduleFolder(kernelRelease)}/${path}`, data));
  const folders = [...new Set(files.flatMap(({ path }) => parentsOf(path)))].sort();
  return writeCpio([
    ...(await frame(parts)),
    directory('sys'),
    ...folders.map(directory),
    { kind: 'link', path: 'lib', target: 'usr/lib' },
    file('find-disks', await readFile(join(recipe.folder, 'initrd/find-disks'))),
    ...files,
  ]);
}

async function frame({ recipe, packages }: InitrdParts): Promise<readonly CpioEntry[]> {
  return [
    ...['bin', 'dev', 'proc', 'system'].map(directory),
    // The kernel opens it for its first program before that can mount anything.
    { kind: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { ...file('bin/busybox', await readFile(join(packages, 'usr/bin/busybox'))), mode: 0o755 },
    { ...file('init', await readFile(join(recipe.folder, 'initrd/init'))), mode: 0o755 },
  ];
}

function directory(path: string): CpioEntry {
  return { kind: 'directory', path, mode: 0o755 };
}

function file(path: string, data: Buffer): CpioEntry & { kind: 'file' } {
  return { kind: 'file', path, mode: 0o644, data };
}

function parentsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === '.' ? [] : [...parentsOf(parent), parent];
}
