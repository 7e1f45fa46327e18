/**
 * The bytes of an archive, entry by entry: `encodeHeader`, the content, `padding`, and `endOfArchive` once. The same
 * entries give the same bytes. A PAX header is written only for what ustar cannot hold.
 */
import { blockSize, paddingOf, type TarEntry, type TarEntryKind } from './entry.ts';
import { encodeRecord } from './pax.ts';
import type { SparseSegment } from './sparse.ts';

const types: Readonly<Record<TarEntryKind, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** Two blocks of zeros. */
export const endOfArchive: Buffer = Buffer.alloc(blockSize * 2);

/** What follows the content of a file. */
export function padding(sizeBytes: number): Buffer {
  return Buffer.alloc(paddingOf(sizeBytes));
}

/** The header of one entry, with its PAX header in front where one is needed. Exactly `sizeBytes` of content must follow. */
export function encodeHeader(entry: TarEntry): Buffer {
  return headerOf(entry, new Map());
}

function headerOf(entry: TarEntry, further: ReadonlyMap<string, Buffer>): Buffer {
  const records = recordsOf(entry, further);
  const own = block(entry, types[entry.kind]);
  if (records.length === 0) return own;
  const data = Buffer.concat(records);
  const pax = block({ ...plainEntry, name: Buffer.from('PaxHeaders/pax'), mode: 0o644, sizeBytes: data.length }, 'x');
  return Buffer.concat([pax, data, padding(data.length), own]);
}

/**
 * The header of a file with holes (PAX 1.0 of the GNU tar manual, "Storing Sparse Files"), with its map behind it. What must
 * follow: the content of the segments, one behind the other, then padding for their bytes (the map fills whole blocks).
 */
export function encodeSparseHeader(entry: TarEntry, segments: readonly SparseSegment[]): Buffer {
  const lines = [segments.length, ...segments.flatMap(({ offset, length }) => [offset, length])];
  const map = Buffer.from(`${lines.join('\n')}\n`);
  const storedBytes = map.length + paddingOf(map.length) + segments.reduce((sum, { length }) => sum + length, 0);
  const base = entry.name.subarray(entry.name.lastIndexOf(0x2f) + 1);
  const stored = { ...entry, name: Buffer.concat([Buffer.from('GNUSparseFile.0/'), base]).subarray(0, 100) };
  const sparse = new Map<string, Buffer>([
    ['GNU.sparse.major', Buffer.from('1')],
    ['GNU.sparse.minor', Buffer.from('0')],
    ['GNU.sparse.name', entry.name],
    ['GNU.sparse.realsize', Buffer.from(String(entry.sizeBytes))],
  ]);
  const header = headerOf({ ...stored, sizeBytes: storedBytes }, sparse);
  return Buffer.concat([header, map, padding(map.length)]);
}

/** A whole entry in memory. */
export function encodeEntry(
  entry: Partial<TarEntry> & Pick<TarEntry, 'kind' | 'name'>,
  content: Buffer = noBytes,
): Buffer {
  return Buffer.concat([
    encodeHeader({ ...plainEntry, ...entry, sizeBytes: content.length }),
    content,
    padding(content.length),
  ]);
}

const noBytes = Buffer.alloc(0);
const plainEntry: TarEntry = {
  kind: 'file',
  name: noBytes,
  linkName: noBytes,
  mode: 0o644,
  userId: 0,
  groupId: 0,
  sizeBytes: 0,
  modifiedNs: 0n,
  device: { major: 0, minor: 0 },
  xattrs: new Map(),
};

const largestId = 0o7777777;
const largestSize = 0o77777777777;

function recordsOf(entry: TarEntry, further: ReadonlyMap<string, Buffer>): readonly Buffer[] {
  const records = new Map<string, Buffer>(further);
  const number = (key: string, value: number, largest: number): void => {
    if (value > largest) records.set(key, Buffer.from(String(value)));
  };
  if (entry.name.length > 100) records.set('path', entry.name);
  if (entry.linkName.length > 100) records.set('linkpath', entry.linkName);
  number('uid', entry.userId, largestId);
  number('gid', entry.groupId, largestId);
  number('size', entry.sizeBytes, largestSize);
  if (!isPlainTime(entry.modifiedNs)) records.set('mtime', Buffer.from(paxTimeText(entry.modifiedNs)));
  for (const [name, value] of entry.xattrs) records.set(`SCHILY.xattr.${name}`, value);
  return [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => encodeRecord(key, value));
}

function isPlainTime(ns: bigint): boolean {
  return ns >= 0n && ns % 1_000_000_000n === 0n && ns / 1_000_000_000n <= BigInt(largestSize);
}

function paxTimeText(ns: bigint): string {
  const magnitude = ns < 0n ? -ns : ns;
  const fraction = (magnitude % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${magnitude / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

function block(entry: TarEntry, type: string): Buffer {
  const header = Buffer.alloc(blockSize);
  const octal = (at: number, length: number, value: number): void => {
    header.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  };
  const upTo = (value: number, largest: number): number => (value > largest ? 0 : value);
  entry.name.copy(header, 0, 0, 100);
  octal(100, 8, entry.mode);
  octal(108, 8, upTo(entry.userId, largestId));
  octal(116, 8, upTo(entry.groupId, largestId));
  octal(124, 12, upTo(entry.sizeBytes, largestSize));
  octal(136, 12, isPlainTime(entry.modifiedNs) ? Number(entry.modifiedNs / 1_000_000_000n) : 0);
  header.write(type, 156, 'latin1');
  entry.linkName.copy(header, 157, 0, 100);
  header.write('ustar\x0000', 257, 'latin1');
  octal(329, 8, entry.device.major);
  octal(337, 8, entry.device.minor);
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (let index = 0; index < blockSize; index++) sum += header[index] ?? 0;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
