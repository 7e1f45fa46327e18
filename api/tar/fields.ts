/**
 * The fixed fields of a header block: text, octal numbers, base-256 numbers (GNU's way for what octal cannot hold), and
 * the checksum. Offsets are those of POSIX ustar; GNU's format shares all that are read here.
 */
import { blockSize, TarError } from './entry.ts';

export interface RawHeader {
  readonly name: Buffer;
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  readonly storedBytes: number;
  readonly modifiedSeconds: number;
  readonly type: string;
  readonly linkName: Buffer;
  readonly device: { readonly major: number; readonly minor: number };
  readonly format: 'v7' | 'ustar' | 'gnu';
  /** The block itself, for the fields of one type alone (sparse maps). */
  readonly block: Buffer;
}

/** Throws TarError for a wrong checksum or a number that is none. */
export function readHeaderBlock(block: Buffer): RawHeader {
  checkSum(block);
  const format = formatOf(block);
  const prefix = format === 'ustar' ? textField(block, 345, 155) : noBytes;
  const name = textField(block, 0, 100);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    mode: numberField(block, 100, 8, 'mode') & 0o7777,
    userId: numberField(block, 108, 8, 'uid'),
    groupId: numberField(block, 116, 8, 'gid'),
    storedBytes: sizeField(block, 124, 12),
    modifiedSeconds: numberField(block, 136, 12, 'mtime'),
    type: String.fromCharCode(block[156] ?? 0),
    linkName: textField(block, 157, 100),
    device:
      format === 'v7'
        ? { major: 0, minor: 0 }
        : { major: numberField(block, 329, 8, 'device'), minor: numberField(block, 337, 8, 'device') },
    format,
    block,
  };
}

export function isZeroBlock(block: Buffer): boolean {
  return block.equals(zeroBlock);
}

/** A size or an offset: never negative, never more than a double holds exactly. */
export function sizeField(block: Buffer, at: number, length: number): number {
  const size = numberField(block, at, length, 'size');
  if (size < 0) throw new TarError('negative size');
  return size;
}

const zeroBlock = Buffer.alloc(blockSize);
const checksumAt = 148;

function formatOf(block: Buffer): RawHeader['format'] {
  const magic = block.toString('latin1', 257, 265);
  if (magic === 'ustar  \0') return 'gnu';
  return magic.startsWith('ustar\0') ? 'ustar' : 'v7';
}

const noBytes = Buffer.alloc(0);

function textField(block: Buffer, at: number, length: number): Buffer {
  if (block[at] === 0) return noBytes;
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return Buffer.from(end === -1 ? field : field.subarray(0, end));
}

function numberField(block: Buffer, at: number, length: number, what: string): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) return base256(block.subarray(at, at + length), what);
  return plainOctal(block, at, length) ?? looseOctal(block, at, { length, what });
}

/** Digits up to the first blank or NUL, as nearly every field is; null for all others. */
function plainOctal(block: Buffer, at: number, length: number): number | null {
  let value = 0;
  for (let index = 0; index < length; index++) {
    const digit = (block[at + index] ?? 0) - 0x30;
    if (digit >= 0 && digit < 8) value = value * 8 + digit;
    else return index > 0 && (digit === -0x30 || digit === -0x10) ? value : null;
  }
  return value;
}

function looseOctal(block: Buffer, at: number, field: { readonly length: number; readonly what: string }): number {
  const { length, what } = field;
  const text = block.toString('latin1', at, at + length).replace(/^[\0 ]+|[\0 ][^]*$/g, '');
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw new TarError(`${what} is not a number: ${JSON.stringify(text)}`);
  return Number.parseInt(text, 8);
}

/** Big-endian two's complement after the flag bit. */
function base256(field: Buffer, what: string): number {
  const isNegative = field[0] === 0xff;
  let value = isNegative ? -1n : BigInt((field[0] ?? 0) & 0x7f);
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw new TarError(`${what} is out of range: ${value}`);
  }
  return Number(value);
}

/** Sum of all bytes, its own field read as spaces. Old tars summed signed bytes: either is good. */
function checkSum(block: Buffer): void {
  const told = numberField(block, checksumAt, 8, 'checksum');
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let index = 0; index < blockSize; index++) {
    const byte = block[index] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let index = checksumAt; index < checksumAt + 8; index++) {
    const byte = block[index] ?? 0;
    unsigned -= byte;
    high -= byte >> 7;
  }
  if (told !== unsigned && told !== unsigned - 256 * high)
    throw new TarError('wrong header checksum: this is no tar archive, or it is damaged');
}
