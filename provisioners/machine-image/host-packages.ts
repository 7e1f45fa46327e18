/**
 * What a Debian computer needs to build the machine image, by the program that is called and the package that has it.
 * The start script installs what is missing; the builder names it.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Architecture, architectureNames } from './recipe.ts';

/** Node's name of this computer's architecture in Debian's words; null where no image exists for it. */
export function hostArchitecture(nodeName: string = process.arch): Architecture | null {
  if (nodeName === 'x64') return 'amd64';
  return nodeName === 'arm64' ? 'arm64' : null;
}

/** The names of programs that differ by the architecture of the image. */
export function buildPrograms(arch: Architecture): { readonly strip: string } {
  return { strip: arch === hostArchitecture() ? 'strip' : `${architectureNames[arch].triplet}-strip` };
}

/** Debian packages for building an image, by the program that each brings; the last brings the keys of Debian's archive. */
function packageByProgram(arch: Architecture): readonly (readonly [program: string, debianPackage: string])[] {
  const { strip } = buildPrograms(arch);
  return [
    ['mmdebstrap', 'mmdebstrap'],
    ['mkfs.erofs', 'erofs-utils'],
    ['xz', 'xz-utils'],
    [strip, strip === 'strip' ? 'binutils' : `binutils-${architectureNames[arch].triplet.replaceAll('_', '-')}`],
    ['tar', 'tar'],
  ];
}

/** All Debian packages for building the image of this computer's own architecture. */
export function imageBuildPackages(arch: Architecture = hostArchitecture() ?? 'amd64'): readonly string[] {
  return [...packageByProgram(arch).map(([, debianPackage]) => debianPackage), 'debian-archive-keyring'];
}

/** Those of them that are missing here; empty when the image can be built. Looks in PATH, and in the sbin folders that a user's PATH lacks. */
export function missingImageBuildPackages({
  arch = hostArchitecture() ?? 'amd64',
  environment = process.env,
}: { arch?: Architecture; environment?: NodeJS.ProcessEnv } = {}): readonly string[] {
  const folders = [...(environment['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(
    (folder) => folder !== '',
  );
  return packageByProgram(arch)
    .filter(([program]) => !folders.some((folder) => isExecutable(join(folder, program))))
    .map(([, debianPackage]) => debianPackage);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
