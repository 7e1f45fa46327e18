/**
 * bzip2 files, several one behind the other too. There is no specification but the program itself: Huffman codes, move to
 * front, the Burrows-Wheeler transform, runs; see "Bzip2: Format Specification" by Joe Tsai.
 */
import { TarError } from '../../../api/tar/entry.ts';
import { BitReader } from './bit-reader.ts';
import { ByteInput } from './byte-input.ts';

const blockMagic = 0x314159265359;
const endMagic = 0x177245385090;
/** More than the largest block can take, however badly it was compressed. */
const enoughForABlock = 1_400_000;
const outputBytes = 256 * 1024;

export async function* inflatedBzip2(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  await using input = new ByteInput(source, () => broken('it ends too early'));
  do {
    yield* stream(input);
  } while ((await input.peek(1)).length > 0);
}

async function* stream(input: ByteInput): AsyncGenerator<Buffer, void, void> {
  const header = await input.exactly(4);
  const level = (header[3] ?? 0) - 0x30;
  if (header.toString('latin1', 0, 3) !== 'BZh' || level < 1 || level > 9)
    throw broken('no stream where one should begin');
  let combined = 0;
  for (let bitOffset = 0; ;) {
    const bits = new BitReader(await input.peek(enoughForABlock), bitOffset, () => broken('it ends too early'));
    const magic = bits.read(24) * 2 ** 24 + bits.read(24);
    const told = bits.read(16) * 2 ** 16 + bits.read(16);
    if (magic === endMagic) {
      if (told !== combined) throw broken('its checksum is another');
      input.skip(Math.ceil(bits.position / 8));
      return;
    }
    if (magic !== blockMagic) throw broken('no block where one should begin');
    const { bytes, first } = readBlock(bits, level * 100_000);
    const found = yield* withoutRuns(bytes, first);
    if (found !== told) throw broken('its checksum is another');
    combined = (((combined << 1) | (combined >>> 31)) ^ found) >>> 0;
    input.skip(Math.floor(bits.position / 8));
    bitOffset = bits.position % 8;
  }
}

/** The block after the transform, as links from each byte to the next: bits 8 and above of each number. */
function readBlock(bits: BitReader, mostBytes: number): { readonly bytes: Uint32Array; readonly first: number } {
  if (bits.read(1) !== 0) throw broken('a randomised block, of a program of before 1997');
  const origin = bits.read(24);
  const symbols = readSymbols(bits);
  const tables = readTables(bits, symbols.length + 2);
  const { block, length } = readMoves(bits, { symbols, tables, mostBytes });
  if (origin >= length) throw broken('a block that begins nowhere');
  return linked({ block, length, origin });
}

function linked(given: { readonly block: Uint32Array; readonly length: number; readonly origin: number }): {
  readonly bytes: Uint32Array;
  readonly first: number;
} {
  const { block, length, origin } = given;
  const next = new Uint32Array(256);
  for (let index = 0; index < length; index++) {
    const byte = (block[index] ?? 0) & 0xff;
    next[byte] = (next[byte] ?? 0) + 1;
  }
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = next[byte] ?? 0;
    next[byte] = sum;
    sum += count;
  }
  for (let index = 0; index < length; index++) {
    const byte = (block[index] ?? 0) & 0xff;
    const place = next[byte] ?? 0;
    next[byte] = place + 1;
    block[place] = (block[place] ?? 0) | (index << 8);
  }
  return { bytes: block.subarray(0, length), first: (block[origin] ?? 0) >>> 8 };
}

function readSymbols(bits: BitReader): readonly number[] {
  const used = bits.read(16);
  const symbols: number[] = [];
  for (let high = 0; high < 16; high++) {
    if ((used & (0x8000 >> high)) === 0) continue;
    const low = bits.read(16);
    for (let index = 0; index < 16; index++) if ((low & (0x8000 >> index)) !== 0) symbols.push(high * 16 + index);
  }
  if (symbols.length === 0) throw broken('a block of nothing');
  return symbols;
}

/** A canonical Huffman code: for each length the first code that is too large, and where its symbols begin. */
interface Table {
  readonly limits: Int32Array;
  readonly offsets: Int32Array;
  readonly order: Uint16Array;
}

interface Tables {
  readonly all: readonly Table[];
  /** Which of them is used for each group of 50 symbols. */
  readonly selectors: Uint8Array;
}

function readTables(bits: BitReader, alphabet: number): Tables {
  const count = bits.read(3);
  const groups = bits.read(15);
  if (count < 2 || count > 6 || groups === 0) throw broken('codes of no known form');
  const recent = Array.from({ length: count }, (_, index) => index);
  const selectors = new Uint8Array(groups);
  for (let group = 0; group < groups; group++) {
    let depth = 0;
    while (bits.read(1) === 1) if (++depth >= count) throw broken('a code that there is none of');
    const [chosen = 0] = recent.splice(depth, 1);
    recent.unshift(chosen);
    selectors[group] = chosen;
  }
  const all = Array.from({ length: count }, () => makeTable(readLengths(bits, alphabet)));
  return { all, selectors };
}

function readLengths(bits: BitReader, alphabet: number): Uint8Array {
  const lengths = new Uint8Array(alphabet);
  let length = bits.read(5);
  for (let symbol = 0; symbol < alphabet; symbol++) {
    while (bits.read(1) === 1) length += bits.read(1) === 0 ? 1 : -1;
    if (length < 1 || length > 20) throw broken('a code of an impossible length');
    lengths[symbol] = length;
  }
  return lengths;
}

function makeTable(lengths: Uint8Array): Table {
  const limits = new Int32Array(22).fill(-1);
  const offsets = new Int32Array(22);
  const order = new Uint16Array(lengths.length);
  let code = 0;
  let at = 0;
  for (let length = 1; length <= 20; length++) {
    const before = at;
    offsets[length] = at - code;
    for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === length) order[at++] = symbol;
    code += at - before;
    limits[length] = code;
    code <<= 1;
  }
  return { limits, offsets, order };
}

function readSymbol(bits: BitReader, { limits, offsets, order }: Table): number {
  let code = 0;
  for (let length = 1; length <= 20; length++) {
    code = (code << 1) | bits.read(1);
    if (code < (limits[length] ?? -1)) return order[code + (offsets[length] ?? 0)] ?? 0;
  }
  throw broken('a code that there is none of');
}

/** Undoes the Huffman codes, the runs of the most recent symbol, and the move to the front. */
function readMoves(
  bits: BitReader,
  given: { readonly symbols: readonly number[]; readonly tables: Tables; readonly mostBytes: number },
): { readonly block: Uint32Array; readonly length: number } {
  const { tables, mostBytes } = given;
  const recent = Uint8Array.from(given.symbols);
  const end = recent.length + 1;
  const block = new Uint32Array(mostBytes);
  let length = 0;
  let run = 0;
  let weight = 1;
  for (let read = 0; ; read++) {
    const selector = tables.selectors[Math.floor(read / 50)];
    const table = selector === undefined ? undefined : tables.all[selector];
    if (table === undefined) throw broken('more symbols than were told');
    const symbol = readSymbol(bits, table);
    if (symbol < 2) {
      run += weight << symbol;
      weight <<= 1;
      if (run > mostBytes) throw broken('a block that is too long');
      continue;
    }
    if (length + run + 1 > mostBytes + (symbol === end ? 1 : 0)) throw broken('a block that is too long');
    block.fill(recent[0] ?? 0, length, length + run);
    length += run;
    run = 0;
    weight = 1;
    if (symbol === end) return { block, length };
    const depth = symbol - 1;
    const byte = recent[depth] ?? 0;
    recent.copyWithin(1, 0, depth);
    recent[0] = byte;
    block[length++] = byte;
  }
}

/** Follows the links, and undoes the first step of the compression: four equal bytes are followed by how many more. Returns the checksum. */
function* withoutRuns(bytes: Uint32Array, first: number): Generator<Buffer, number, void> {
  let checksum = 0xffffffff;
  let output = Buffer.allocUnsafe(outputBytes);
  let filled = 0;
  let previous = -1;
  let equal = 0;
  let at = first;
  for (let index = 0; index < bytes.length; index++) {
    const entry = bytes[at] ?? 0;
    const byte = entry & 0xff;
    at = entry >>> 8;
    const isCount = equal === 4;
    const times = isCount ? byte : 1;
    const value = isCount ? previous : byte;
    equal = isCount ? 0 : value === previous ? equal + 1 : 1;
    previous = isCount ? -1 : value;
    for (let time = 0; time < times; time++) {
      checksum = ((checksum << 8) ^ (crcTable[((checksum >>> 24) ^ value) & 0xff] ?? 0)) >>> 0;
      output[filled++] = value;
      if (filled < outputBytes) continue;
      yield output;
      output = Buffer.allocUnsafe(outputBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield output.subarray(0, filled);
  return ~checksum >>> 0;
}

/** The checksum of bzip2: that of Ethernet, with the highest bit first. */
const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = (value & 0x80000000) === 0 ? value << 1 : (value << 1) ^ 0x04c11db7;
  return value >>> 0;
});

function broken(what: string): TarError {
  return new TarError(`compressed data is broken: bzip2: ${what}`);
}
