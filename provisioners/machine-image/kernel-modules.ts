/**
 * Picks kernel modules and what they depend on, and writes the two indexes by which busybox's modprobe finds them
 * (modules.dep, modules.alias; modules.dep(5)). Modules are stored unpacked, because the guest's insmod need not unpack
 * them then, and without their signatures: the image is verified as a whole before it boots, no kernel here insists on
 * signed modules, and checking one costs an emulated processor 20 ms, which is a sixth of a boot for all of them.
 */
import { readFile, readdir } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { MachineError } from '../machines.ts';
import { readModuleInfo } from './elf.ts';
import { runProgram } from './programs.ts';

export interface KernelModule {
  /** As the kernel calls it, with underscores. */
  readonly name: string;
  /** Inside the module tree: `kernel/drivers/net/veth.ko`. */
  readonly path: string;
  readonly data: Buffer;
  readonly depends: readonly string[];
  readonly aliases: readonly string[];
}

/** The modules of one kernel, unpacked only when asked for. */
export class ModuleTree {
  readonly #folder: string;
  readonly #pathByName: ReadonlyMap<string, string>;
  readonly #loaded = new Map<string, KernelModule>();
  readonly #signal: AbortSignal;

  constructor({ folder, paths, signal }: { folder: string; paths: readonly string[]; signal: AbortSignal }) {
    this.#folder = folder;
    this.#pathByName = new Map(paths.map((path) => [moduleName(path), path]));
    this.#signal = signal;
  }

  /** `folder` is `/usr/lib/modules/<release>`. */
  static async open({ folder, signal }: { folder: string; signal: AbortSignal }): Promise<ModuleTree> {
    const paths = (await readdir(folder, { recursive: true })).map((path) => path.split(sep).join('/'));
    return new ModuleTree({ folder, paths: paths.filter((path) => /\.ko(\.xz)?$/.test(path)).sort(), signal });
  }

  /** Names of the modules in a folder of the tree, given with a slash at its end; subfolders included. */
  namesUnder(folder: string): readonly string[] {
    return [...this.#pathByName].filter(([, path]) => path.startsWith(folder)).map(([name]) => name);
  }

  has(name: string): boolean {
    return this.#pathByName.has(name);
  }

  /** The named modules and all that they depend on, each after what it depends on. */
  async closure(names: readonly string[]): Promise<readonly KernelModule[]> {
    const ordered = new Map<string, KernelModule>();
    const visit = async (name: string): Promise<void> => {
      if (ordered.has(name)) return;
      const module = await this.#load(name);
      for (const dependency of module.depends) await visit(dependency);
      ordered.set(name, module);
    };
    for (const name of names) await visit(name);
    return [...ordered.values()];
  }

  async #load(name: string): Promise<KernelModule> {
    const known = this.#loaded.get(name);
    if (known !== undefined) return known;
    const path = this.#pathByName.get(name);
    if (path === undefined)
      throw new MachineError(
        'image-unavailable',
        `The kernel has no module ${name}, which the recipe of the machine image asks for.`,
      );
    const file = join(this.#folder, path);
    const data = path.endsWith('.xz')
      ? await runProgram({ program: 'xz', arguments: ['-dc', file], timeoutMs: 60_000, signal: this.#signal })
      : await readFile(file);
    const information = readModuleInfo(data);
    const values = (key: string): string[] => information.filter(([found]) => found === key).map(([, value]) => value);
    const module: KernelModule = {
      name,
      path: path.replace(/\.xz$/, ''),
      data: withoutSignature(data),
      depends: values('depends')
        .flatMap((list) => list.split(','))
        .filter((dependency) => dependency !== '')
        .map(moduleName),
      aliases: values('alias'),
    };
    this.#loaded.set(name, module);
    return module;
  }
}

const signatureMark = Buffer.from('~Module signature appended~\n');
/** `struct module_signature` of the kernel's include/linux/module_signature.h: its last four bytes are the signature's length. */
const signatureHeaderBytes = 12;

/** A module is an ELF file; signed, it is followed by the signature, a header that tells its length, and a mark. */
export function withoutSignature(module: Buffer): Buffer {
  if (!module.subarray(-signatureMark.length).equals(signatureMark)) return module;
  const headerEnd = module.length - signatureMark.length;
  const signatureBytes = module.readUInt32BE(headerEnd - 4);
  const end = headerEnd - signatureHeaderBytes - signatureBytes;
  if (end <= 0)
    throw new MachineError('image-unavailable', 'A kernel module of the recipe claims a signature longer than itself.');
  return module.subarray(0, end);
}

/** The kernel writes `-` in a module's file name as `_` in its name. */
export function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.xz)?$/, '')
    .replaceAll('-', '_');
}

/** Where modprobe looks, inside a root. */
export const moduleFolder = (kernelRelease: string): string => `usr/lib/modules/${kernelRelease}`;

/** The files of that folder: the modules, and the indexes by which modprobe finds them. */
export function moduleFiles(
  modules: readonly KernelModule[],
): readonly { readonly path: string; readonly data: Buffer }[] {
  return [
    ...modules.map(({ path, data }) => ({ path, data })),
    { path: 'modules.dep', data: Buffer.from(writeDependencyIndex(modules)) },
    { path: 'modules.alias', data: Buffer.from(writeAliasIndex(modules)) },
    // busybox's modprobe looks for it and warns without.
    { path: 'modules.symbols', data: Buffer.alloc(0) },
  ];
}

/** modules.dep: each module's path and the paths of all that must be loaded before it, those needed first standing last. */
export function writeDependencyIndex(modules: readonly KernelModule[]): string {
  const byName = new Map(modules.map((module) => [module.name, module]));
  const collect = (module: KernelModule, found: Set<KernelModule>): Set<KernelModule> => {
    for (const name of module.depends) {
      const dependency = byName.get(name);
      if (dependency !== undefined && !found.has(dependency)) collect(dependency, found).add(dependency);
    }
    return found;
  };
  return modules
    .map(
      (module) =>
        `${module.path}:${[...collect(module, new Set())]
          .reverse()
          .map(({ path }) => ` ${path}`)
          .join('')}\n`,
    )
    .sort()
    .join('');
}

/** modules.alias: by which names, patterns among them, the kernel asks for a module. */
export function writeAliasIndex(modules: readonly KernelModule[]): string {
  return modules
    .flatMap((module) => module.aliases.map((alias) => `alias ${alias} ${module.name}\n`))
    .sort()
    .join('');
}
