/**
 * Files with holes: the archive holds the parts with content one behind the other, and a map says where each belongs.
 * The map stands in the header block and blocks after it (old GNU), in PAX records (0.0 and 0.1) or in front of the
 * content (PAX 1.0). Source: the GNU tar manual, "Storing Sparse Files".
 */
import { TarError } from './entry.ts';
import { sizeField } from './fields.ts';

export interface SparseSegment {
  /** Where the part belongs in the file. */
  readonly offset: number;
  readonly length: number;
}

export interface SparseMap {
  readonly segments: readonly SparseSegment[];
  readonly realBytes: number;
}

/** No honest file comes near: each segment costs at least one block of a file. */
const mostSegments = 1_000_000;

/** Throws TarError unless the segments are in order, apart, inside the file, and as long as what is stored. */
export function checkedMap(map: SparseMap, storedBytes: number): SparseMap {
  if (map.segments.length > mostSegments) throw new TarError(`sparse map of more than ${mostSegments} parts`);
  let end = 0;
  let sum = 0;
  for (const { offset, length } of map.segments) {
    if (offset < end) throw new TarError('sparse map whose parts overlap');
    end = offset + length;
    sum += length;
  }
  if (end > map.realBytes) throw new TarError('sparse map that leads out of its file');
  if (sum !== storedBytes) throw new TarError('sparse map that does not fit what is stored');
  return map;
}

/** The parts in an old GNU header block (four at 386) or extension block (21 at 0); an empty one ends the list. */
export function oldGnuSegments(block: Buffer, at: number, count: number): readonly SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let index = 0; index < count; index++) {
    const start = at + index * 24;
    if (block[start] === 0 && block[start + 12] === 0) break;
    segments.push({ offset: sizeField(block, start, 12), length: sizeField(block, start + 12, 12) });
  }
  return segments;
}

/** PAX 0.1: `offset,length,offset,length,…`. */
export function segmentsFromList(text: string): readonly SparseSegment[] {
  const numbers = text === '' ? [] : text.split(',').map(wholeNumber);
  if (numbers.length % 2 !== 0) throw new TarError('sparse map with an odd number of values');
  return pairs(numbers);
}

/** PAX 1.0 puts the map in front of the content: decimal numbers, a line each (the count, then pairs), padded to whole blocks. */
export function segmentCount(firstBlock: Buffer): number {
  const end = firstBlock.indexOf(0x0a);
  const count = wholeNumber(firstBlock.toString('latin1', 0, Math.max(end, 0)));
  if (count > mostSegments) throw new TarError(`sparse map of more than ${mostSegments} parts`);
  return count;
}

export function segmentsFromLines(blocks: Buffer): readonly SparseSegment[] {
  const [count, ...numbers] = blocks.toString('latin1').split('\n');
  const wanted = Number(count) * 2;
  return pairs(numbers.slice(0, wanted).map(wholeNumber));
}

function pairs(numbers: readonly number[]): readonly SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    segments.push({ offset: numbers[index] ?? 0, length: numbers[index + 1] ?? 0 });
  }
  return segments;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(number)) throw new TarError('malformed sparse map');
  return number;
}
