/**
 * Lays out the machine's read-only root: named programs out of the unpacked packages with exactly the libraries that
 * they need, the kernel modules, the Node runtime, and the recipe's own files on top. What is not named is not there.
 * Nothing here depends on who builds, where and when: modes are set, owners and times are set when the image is written.
 */
import { chmod, copyFile, cp, lstat, mkdir, readFile, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { MachineError } from '../machines.ts';
import { isElf, readElfNeeds } from './elf.ts';
import { moduleFiles, moduleFolder, type ModuleTree } from './kernel-modules.ts';
import { type Architecture, architectureNames, type Recipe, type RecipeData } from './recipe.ts';

export interface SystemRoot {
  readonly recipe: Recipe;
  readonly arch: Architecture;
  /** Unpacked packages. */
  readonly packages: string;
  /** Where the root is laid out; must not exist. */
  readonly root: string;
  readonly modules: ModuleTree;
  /** `6.12.107+deb13-cloud-amd64`. */
  readonly kernelRelease: string;
}

export async function layOutSystemRoot(system: SystemRoot): Promise<void> {
  const { data } = system.recipe;
  for (const path of data.directories) await mkdir(join(system.root, path), { recursive: true, mode: 0o755 });
  for (const [path, target] of Object.entries(data.links)) await link({ path: join(system.root, path), target });
  for (const [folder, names] of Object.entries(data.applets)) {
    for (const name of names)
      await link({ path: join(system.root, folder, name), target: posix.relative(folder, 'usr/bin/busybox') });
  }
  await copyPrograms(system);
  await writeCertificates(system);
  await writeModules(system);
  await cp(join(system.recipe.folder, 'root'), system.root, { recursive: true, errorOnExist: false, force: true });
  await normaliseModes(system.root);
  await chmod(join(system.root, 'etc/shadow'), 0o600);
  await chmod(join(system.root, 'root'), 0o700);
}

async function link({ path, target }: { path: string; target: string }): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

/** The recipe's files, then whatever those need, then whatever that needs. */
async function copyPrograms({ recipe, arch, packages, root }: SystemRoot): Promise<void> {
  const { triplet } = architectureNames[arch];
  const done = new Set<string>();
  const copyWithNeeds = async (path: string): Promise<void> => {
    if (done.has(path)) return;
    done.add(path);
    const source = await findInPackages({ packages, path });
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(source, target);
    const content = await readFile(source);
    if (!isElf(content)) return;
    const needs = readElfNeeds(content);
    if (needs.interpreter !== null) await copyWithNeeds(await loaderPath({ packages, interpreter: needs.interpreter }));
    for (const library of needs.libraries) await copyWithNeeds(await libraryPath({ packages, triplet, library }));
  };
  for (const path of recipe.data.files) await copyWithNeeds(path);
  for (const library of recipe.data.libraries) await copyWithNeeds(await libraryPath({ packages, triplet, library }));
}

/** Follows links inside the unpacked tree (`libz.so.1` to `libz.so.1.3.1`) by hand: an absolute one must not lead out of it. */
async function findInPackages({ packages, path }: { packages: string; path: string }): Promise<string> {
  let current = path;
  for (let hops = 0; hops < 8; hops += 1) {
    const full = join(packages, current);
    const status = await lstat(full).catch((error: unknown) => {
      throw new MachineError(
        'image-unavailable',
        `Debian's packages no longer have the file /${path}, which the recipe of the machine image asks for.`,
        { cause: error },
      );
    });
    if (!status.isSymbolicLink()) return full;
    const target = await readlink(full);
    current = target.startsWith('/') ? target.slice(1) : posix.normalize(posix.join(posix.dirname(current), target));
  }
  throw new MachineError('image-unavailable', `/${path} in Debian's packages is a chain of links without end.`);
}

async function libraryPath({
  packages,
  triplet,
  library,
}: {
  packages: string;
  triplet: string;
  library: string;
}): Promise<string> {
  // systemd keeps a private one beside the public folder; sshd needs none of it, but a file in `files` may.
  for (const folder of [`usr/lib/${triplet}`, 'usr/lib', `usr/lib/${triplet}/systemd`]) {
    const path = `${folder}/${library}`;
    if (await exists(join(packages, path))) return path;
  }
  throw new MachineError(
    'image-unavailable',
    `No package of the machine image has the library ${library}, which a program in it needs.`,
  );
}

/** `/lib64/ld-linux-x86-64.so.2` lies in `usr/lib64` or `usr/lib` of a package; the image's `/lib` and `/lib64` are `/usr/lib`. */
async function loaderPath({ packages, interpreter }: { packages: string; interpreter: string }): Promise<string> {
  const name = basename(interpreter);
  for (const folder of ['usr/lib', 'usr/lib64', 'lib', 'lib64']) {
    const path = `${folder}/${name}`;
    if (await exists(join(packages, path))) return path;
  }
  throw new MachineError('image-unavailable', `No package of the machine image has the loader ${interpreter}.`);
}

/** What update-ca-certificates would make: all of Mozilla's certificates in one file, in the order of their names. */
async function writeCertificates({ packages, root }: SystemRoot): Promise<void> {
  const folder = join(packages, 'usr/share/ca-certificates/mozilla');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.crt')).sort();
  const certificates = await Promise.all(
    names.map(async (name) => (await readFile(join(folder, name), 'latin1')).trimEnd()),
  );
  await writeFile(join(root, 'etc/ssl/certs/ca-certificates.crt'), `${certificates.join('\n')}\n`, 'latin1');
}

async function writeModules({ recipe, modules, root, kernelRelease }: SystemRoot): Promise<void> {
  const wanted = await modules.closure(wantedModules({ list: recipe.data.modules, modules }));
  for (const { path, data } of moduleFiles(wanted)) {
    const target = join(root, moduleFolder(kernelRelease), path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, data);
  }
  await mkdir(join(root, 'usr/lib/skiff'), { recursive: true });
  for (const part of ['engine', 'containers'] as const)
    await writeFile(join(root, `usr/lib/skiff/modules.${part}`), `${recipe.data.modules[part].join(' ')}\n`);
}

function wantedModules({ list, modules }: { list: RecipeData['modules']; modules: ModuleTree }): readonly string[] {
  const onDemand = list.onDemand.flatMap((name) =>
    name.endsWith('/') ? modules.namesUnder(name) : modules.has(name) ? [name] : [],
  );
  return [...list.boot, ...list.engine, ...list.containers, ...onDemand];
}

/** 0755 for folders and for what may be run, 0644 for the rest: the umask of the builder leaves no trace. */
async function normaliseModes(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await normaliseModes(path);
    else if (entry.isFile()) await chmod(path, ((await lstat(path)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
