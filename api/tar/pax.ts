/** PAX records (source: POSIX pax, "pax Header Block"): `25 mtime=1700000000.5\n`, the length counting the whole record. */
import { TarError } from './entry.ts';
import type { SparseSegment } from './sparse.ts';

export interface PaxRecords {
  /** Values by key; an empty value takes back what a global header said. */
  readonly values: ReadonlyMap<string, Buffer>;
  /** PAX 0.0 tells a sparse map by repeating two keys, which no map holds. */
  readonly sparseSegments: readonly SparseSegment[];
}

export const noRecords: PaxRecords = { values: new Map(), sparseSegments: [] };

export function parsePax(data: Buffer): PaxRecords {
  const values = new Map<string, Buffer>();
  const sparseSegments: SparseSegment[] = [];
  let offset = 0;
  for (let at = 0; at < data.length;) {
    const { key, value, end } = recordAt(data, at);
    if (key === 'GNU.sparse.offset') offset = decimal(key, value);
    else if (key === 'GNU.sparse.numbytes') sparseSegments.push({ offset, length: decimal(key, value) });
    else values.set(key, value);
    at = end;
  }
  return { values, sparseSegments };
}

/** `local` over `global`; an empty value means that there is none. */
export function mergePax(global: PaxRecords, local: PaxRecords): PaxRecords {
  if (global.values.size === 0) return local;
  return { values: new Map([...global.values, ...local.values]), sparseSegments: local.sparseSegments };
}

/** Null when the record is not there or empty. */
export function paxText(records: PaxRecords, key: string): Buffer | null {
  const value = records.values.get(key);
  if (value === undefined || value.length === 0) return null;
  if (value.includes(0)) throw new TarError(`the PAX record ${key} holds a NUL`);
  return value;
}

export function paxNumber(records: PaxRecords, key: string): number | null {
  const value = paxText(records, key);
  return value === null ? null : decimal(key, value);
}

/** Seconds with any number of digits behind the point, as nanoseconds; digits past the ninth are cut, towards the past. */
export function paxTime(records: PaxRecords, key: string): bigint | null {
  const text = paxText(records, key)?.toString('latin1');
  if (text === undefined) return null;
  const match = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(text);
  if (match === null) throw new TarError(`the PAX record ${key} is no time: ${JSON.stringify(text.slice(0, 40))}`);
  const fraction = match[3] ?? '';
  const magnitude = BigInt(match[2] ?? '0') * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return match[1] === '-' ? -magnitude : magnitude;
}

const xattrPrefix = 'SCHILY.xattr.';

export function paxXattrs(records: PaxRecords): ReadonlyMap<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of records.values) {
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), value);
  }
  return xattrs;
}

/** One record as bytes. The length counts its own digits, so it is found by trying. */
export function encodeRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function recordAt(data: Buffer, at: number): { key: string; value: Buffer; end: number } {
  const space = data.indexOf(0x20, at);
  const digits = space === -1 || space - at > 10 ? '' : data.toString('latin1', at, space);
  const end = at + Number.parseInt(digits, 10);
  const equals = data.indexOf(0x3d, space);
  const isWellFormed =
    /^\d+$/.test(digits) && end <= data.length && data[end - 1] === 0x0a && equals > space + 1 && equals < end;
  if (!isWellFormed) throw new TarError('malformed PAX record');
  return {
    key: data.toString('latin1', space + 1, equals),
    value: Buffer.from(data.subarray(equals + 1, end - 1)),
    end,
  };
}

function decimal(key: string, value: Buffer): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (!/^\d{1,20}$/.test(text) || !Number.isSafeInteger(number)) {
    throw new TarError(`the PAX record ${key} is out of range: ${JSON.stringify(text.slice(0, 40))}`);
  }
  return number;
}
