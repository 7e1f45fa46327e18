import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, openSync, statSync, truncateSync } from 'node:fs';
import type { Register } from './register.ts';
import { readOptions, Refusal, syntaxRefusal } from './refusal.ts';

/** Verbs about disks. A played VDI is its content alone, with holes. */

const MiB = 1024 ** 2;

export function createMedium(register: Register, [kind, ...args]: readonly string[]): string {
  if (kind !== 'disk') throw syntaxRefusal(`Invalid parameter '${kind ?? ''}'`);
  const given = new Map(
    readOptions(args, { '--filename': 1, '--size': 1, '--format': 1 }).map(({ option, values }) => [option, values[0]]),
  );
  const [path, size] = [given.get('--filename'), Number(given.get('--size'))];
  if (path === undefined || !(size > 0)) throw syntaxRefusal('Parameters --filename and --size are required');
  refuseTaken(register, path);
  const file = openSync(path, 'wx', 0o600);
  ftruncateSync(file, size * MiB);
  closeSync(file);
  register.openMedium(path);
  return '0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\nMedium created. UUID: 00000000-0000-4000-8000-000000000000\n';
}

export function closeMedium(register: Register, [kind, path]: readonly string[]): string {
  if (kind !== 'disk' || path === undefined) throw syntaxRefusal('Not enough parameters');
  if (!register.hasMedium(path) && !existsSync(path)) throw noFile(path);
  if (register.isAttached(path)) {
    throw new Refusal(
      `Medium '${path}' cannot be closed because it is still attached to 1 virtual machines`,
      'VBOX_E_OBJECT_IN_USE',
    );
  }
  register.closeMedium(path);
  return '';
}

export function showMediumInfo(_register: Register, [kind, path]: readonly string[]): string {
  if (kind !== 'disk' || path === undefined) throw syntaxRefusal('Not enough parameters');
  if (!existsSync(path)) throw noFile(path);
  return `State:          created\nType:           normal (base)\nLocation:       ${path}\nStorage format: VDI\nCapacity:       ${Math.floor(statSync(path).size / MiB)} MBytes\n`;
}

export function modifyMedium(register: Register, [kind, path, ...args]: readonly string[]): string {
  if (kind !== 'disk' || path === undefined) throw syntaxRefusal('Not enough parameters');
  if (!existsSync(path)) throw noFile(path);
  for (const { values } of readOptions(args, { '--resize': 1 })) {
    const bytes = Number(values[0]) * MiB;
    if (bytes < statSync(path).size) throw new Refusal('Shrinking a disk is not yet supported', 'VBOX_E_NOT_SUPPORTED');
    truncateSync(path, bytes);
  }
  register.openMedium(path);
  return '';
}

export function cloneMedium(register: Register, [kind, from, to, ...args]: readonly string[]): string {
  if (kind !== 'disk' || from === undefined || to === undefined) throw syntaxRefusal('Not enough parameters');
  readOptions(args, { '--format': 1, '--variant': 1 });
  if (!existsSync(from)) throw noFile(from);
  refuseTaken(register, to);
  copyWithHoles(from, to);
  register.openMedium(from);
  register.openMedium(to);
  return "Clone medium created in format 'RAW'.\n";
}

export function convertFromRaw(_register: Register, [from, to, ...args]: readonly string[]): string {
  if (from === undefined || to === undefined) throw syntaxRefusal('Incorrect number of parameters');
  readOptions(args, { '--format': 1, '--variant': 1, '--uuid': 1 });
  if (!existsSync(from)) throw new Refusal(`Cannot open file "${from}": VERR_FILE_NOT_FOUND`);
  if (existsSync(to)) throw new Refusal(`Cannot create the disk image "${to}": VERR_ALREADY_EXISTS`);
  if (statSync(from).size < MiB) throw new Refusal(`Cannot create the disk image "${to}": VERR_VD_INVALID_SIZE`);
  copyWithHoles(from, to);
  return `Converting from raw image file="${from}" to file="${to}"...\n`;
}

/** Node's own copy reads every hole. */
function copyWithHoles(from: string, to: string): void {
  execFileSync('cp', ['--sparse=auto', '--', from, to]);
}

function refuseTaken(register: Register, path: string): void {
  if (existsSync(path))
    throw new Refusal(`Could not create the medium storage unit '${path}'. VERR_ALREADY_EXISTS`, 'VBOX_E_FILE_ERROR');
  if (register.hasMedium(path))
    throw new Refusal(
      `Cannot register the hard disk '${path}' because it already exists`,
      'VBOX_E_INVALID_OBJECT_STATE',
    );
}

export function noFile(path: string): Refusal {
  return new Refusal(`Could not find file for the medium '${path}' (VERR_FILE_NOT_FOUND)`, 'VBOX_E_FILE_ERROR');
}
