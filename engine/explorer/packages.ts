/** What Debian's and Alpine's package managers say is installed, where both of two images have such a database. */
import type { SkiffPackageChange } from '../../api/skiff.ts';

export interface PackageDatabase {
  readonly kind: 'dpkg' | 'apk';
  readonly path: string;
}

export const packageDatabases: readonly PackageDatabase[] = [
  { kind: 'dpkg', path: 'var/lib/dpkg/status' },
  { kind: 'apk', path: 'lib/apk/db/installed' },
  { kind: 'apk', path: 'usr/lib/apk/db/installed' },
];

/** Versions by name; of another architecture's package by `name:architecture`. */
export function readPackages(kind: PackageDatabase['kind'], content: Buffer): ReadonlyMap<string, string> {
  const packages = new Map<string, string>();
  for (const paragraph of content.toString('utf8').split('\n\n')) {
    const fields = fieldsOf(paragraph);
    const read = kind === 'dpkg' ? dpkgPackage(fields) : apkPackage(fields);
    if (read === null) continue;
    const [name, version] = read;
    packages.set(packages.has(name) ? `${name}:${fields.get('Architecture') ?? ''}` : name, version);
  }
  return packages;
}

/** In the order of the alphabet. */
export function packageChanges(
  from: ReadonlyMap<string, string>,
  to: ReadonlyMap<string, string>,
): readonly SkiffPackageChange[] {
  return [...new Set([...from.keys(), ...to.keys()])].sort().flatMap((name) => {
    const change = { name, from: from.get(name) ?? null, to: to.get(name) ?? null };
    return change.from === change.to ? [] : [change];
  });
}

/** Source: dpkg's status file (deb-control(5)); one that was removed keeps its paragraph for its configuration. */
function dpkgPackage(fields: ReadonlyMap<string, string>): readonly [string, string] | null {
  const [name, version, status] = [fields.get('Package'), fields.get('Version'), fields.get('Status')];
  if (name === undefined || version === undefined) return null;
  return status === undefined || status.endsWith(' installed') ? [name, version] : null;
}

/** Source: apk's installed database, fields P and V. */
function apkPackage(fields: ReadonlyMap<string, string>): readonly [string, string] | null {
  const [name, version] = [fields.get('P'), fields.get('V')];
  return name === undefined || version === undefined ? null : [name, version];
}

/** The first value of each field; lines that go on begin with a space. */
function fieldsOf(paragraph: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of paragraph.split('\n')) {
    const match = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
    const [, key, value] = match ?? [];
    if (key !== undefined && value !== undefined && !fields.has(key)) fields.set(key, value);
  }
  return fields;
}
