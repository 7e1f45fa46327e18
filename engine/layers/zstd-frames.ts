/**
 * A zstd file may be several frames one behind the other (pzstd writes them, and podman's zstd:chunked layers have one
 * for each file), with frames to be skipped between them. Node's decompressor stops after the first and drops the rest
 * without a word, so the frames are cut apart here: their structure tells where they end (source: RFC 8878, 3.1).
 */
import { TarError } from '../../api/tar/entry.ts';
import { ByteInput } from './inflate/byte-input.ts';

const frameMagic = 0xfd2fb528;
const firstSkippable = 0x184d2a50;
const lastSkippable = 0x184d2a5f;

/** The bytes of each data frame; one must be read to its end before the next. Throws TarError for what is no frame. */
export async function* zstdFrames(source: AsyncIterable<Buffer>): AsyncGenerator<AsyncIterable<Buffer>, void, void> {
  await using input = new ByteInput(
    source,
    () => new TarError('compressed data is broken: it ends inside a zstd frame'),
  );
  for (let magic = await input.peek(4); magic.length > 0; magic = await input.peek(4)) {
    const number = magic.length === 4 ? magic.readUInt32LE() : 0;
    if (number >= firstSkippable && number <= lastSkippable) {
      const header = await input.exactly(8);
      for await (const _ of input.pieces(header.readUInt32LE(4)));
    } else if (number === frameMagic) {
      yield frame(input);
    } else throw new TarError('compressed data is broken: no zstd frame where one should begin');
  }
}

async function* frame(input: ByteInput): AsyncGenerator<Buffer, void, void> {
  const start = await input.peek(5);
  const descriptor = start[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  yield await input.exactly(5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes);
  for (let isLast = false; !isLast;) {
    const header = await input.exactly(3);
    const bits = header.readUIntLE(0, 3);
    isLast = (bits & 1) === 1;
    yield header;
    // A block of type 1 is one byte and how often it is repeated.
    yield* input.pieces(((bits >> 1) & 3) === 1 ? 1 : bits >> 3);
  }
  if ((descriptor & 4) !== 0) yield await input.exactly(4);
}
