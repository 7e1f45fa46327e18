/**
 * The local driver's options (source: docker volume create reference): `type`, `device` and `o` say what is mounted into
 * the volume, as mount(8) takes them; `size` is a quota.
 */
import net from 'node:net';
import { invalid } from '../model/errors.ts';
import type { DeviceMount } from '../kernel/mount.ts';

export type VolumeOptions = Readonly<Record<string, string>>;

/** Each with those that it needs beside it. */
const known: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  device: ['type'],
  o: ['device', 'type'],
  size: [],
};

/** Throws `invalid` in docker's words; `name` is the volume's. */
export function assertVolumeOptions(name: string, options: VolumeOptions): void {
  const given = Object.keys(options);
  const unknown = given.find((key) => known[key] === undefined);
  if (unknown !== undefined) throw invalid(`create ${name}: invalid option: "${unknown}"`);
  const missing = given.flatMap((key) => known[key] ?? []).find((key) => options[key] === undefined);
  if (missing !== undefined) throw invalid(`create ${name}: missing required option: "${missing}"`);
  quotaBytes(name, options);
}

/** `size`, the most that the volume may hold; 0: no limit. Throws `invalid`; `name` is the volume's. */
export function quotaBytes(name: string, options: VolumeOptions): number {
  return options['size'] === undefined ? 0 : sizeBytes(name, options['size']);
}

export function hasDevice(options: VolumeOptions): boolean {
  return options['device'] !== undefined && options['device'] !== '';
}

/** Flags of mount(2) by their name in `o`: those that are set, and those that are taken back. */
const setFlags: Readonly<Record<string, number>> = {
  ro: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  sync: 0x10,
  mand: 0x40,
  dirsync: 0x80,
  noatime: 0x400,
  nodiratime: 0x800,
  bind: 0x1000,
  rbind: 0x5000,
  relatime: 0x200000,
  strictatime: 0x1000000,
};
const clearFlags: Readonly<Record<string, number>> = {
  defaults: 0,
  rw: 0x1,
  suid: 0x2,
  dev: 0x4,
  exec: 0x8,
  async: 0x10,
  nomand: 0x40,
  atime: 0x400,
  diratime: 0x800,
  norelatime: 0x200000,
  nostrictatime: 0x1000000,
};

/** What to mount for these options; null when the volume is a plain folder. An nfs or cifs server is looked up by its name, since the kernel knows addresses alone. */
export async function deviceMount(options: VolumeOptions): Promise<Omit<DeviceMount, 'target'> | null> {
  if (!hasDevice(options)) return null;
  let flags = 0;
  const data: string[] = [];
  for (const word of (options['o'] ?? '').split(',')) {
    const [set, clear] = [setFlags[word], clearFlags[word]];
    if (set !== undefined) flags |= set;
    else if (clear !== undefined) flags &= ~clear;
    else if (word !== '') data.push(await withAddress(word));
  }
  return { source: options['device'] ?? '', type: options['type'] ?? '', flags, data: data.join(',') };
}

async function withAddress(word: string): Promise<string> {
  const host = /^addr=(.+)$/.exec(word)?.[1];
  if (host === undefined || net.isIP(host) !== 0) return word;
  // Loaded here, for few ask for it and each start of the engine would wait for it.
  const { lookup } = process.getBuiltinModule('node:dns/promises');
  return `addr=${(await lookup(host)).address}`;
}

const units = ['', 'k', 'm', 'g', 't', 'p'];

/** `10m`, `1.5GB`, `64KiB`: powers of 1024, as docker reads sizes. */
function sizeBytes(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  if (match === null) throw invalid(`create ${name}: invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1024 ** units.indexOf((match[2] ?? '').toLowerCase()));
}
