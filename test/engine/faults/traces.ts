import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Where on this computer anything is left that bears the id of a container: empty when it has gone whole. */
export function tracesOf(
  id: string,
  roots: { readonly dataRoot: string; readonly execRoot: string },
): readonly string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return [
    ...mounts.filter((line) => line.includes(id)).map((line) => `mount ${line}`),
    ...pathsWith(id, roots.dataRoot),
    ...pathsWith(id, roots.execRoot),
    ...cgroupsOf(id),
    ...processesOf(id).map((pid) => `process ${pid}`),
  ];
}

function pathsWith(id: string, root: string): readonly string[] {
  // Deeper than this lie the insides of containers and layers.
  return [root, ...foldersOf(root), ...foldersOf(root).flatMap(foldersOf)].flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.includes(id) || name.startsWith(id.slice(0, 12)))
      .map((name) => path.join(folder, name)),
  );
}

function cgroupsOf(id: string): readonly string[] {
  const root = '/sys/fs/cgroup';
  return [root, ...foldersOf(root)]
    .flatMap((controller) => foldersOf(controller).filter((folder) => path.basename(folder).startsWith('skiff-')))
    .flatMap((engine) => foldersOf(engine).filter((folder) => folder.includes(id)));
}

function processesOf(id: string): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    const file = `/proc/${name}/cgroup`;
    return /^\d+$/.test(name) && existsSync(file) && readFileQuietly(file).includes(id);
  });
}

/** A process may end while it is looked at. */
function readFileQuietly(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function foldersOf(folder: string): readonly string[] {
  return existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => path.join(folder, name))
    : [];
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
