/** xz files (source: "The .xz File Format", tukaani.org), several streams one behind the other too. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { TarError } from '../../../api/tar/entry.ts';
import { ByteInput } from './byte-input.ts';
import { Crc64 } from './crc64.ts';
import { LzmaDecoder } from './lzma.ts';

export const xzMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/** `xz -9` needs 64 MiB; a file may ask for four gigabytes. */
const largestDictionary = 128 * 1024 * 1024;
const lzma2 = 0x21;

/** What a block's content is checked by, with its size in bytes: `none`, CRC32, CRC64 or SHA-256. */
interface Check {
  readonly sizeBytes: number;
  update(bytes: Buffer): void;
  digest(): Buffer | null;
}

export async function* inflatedXz(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  await using input = new ByteInput(source, () => broken('it ends too early'));
  for (;;) {
    yield* stream(input);
    // Padding between streams, and at the end.
    for (let four = await input.peek(4); four.length === 4 && four.readUInt32LE() === 0; four = await input.peek(4))
      input.skip(4);
    if ((await input.peek(1)).length === 0) return;
  }
}

async function* stream(input: ByteInput): AsyncGenerator<Buffer, void, void> {
  const header = await input.exactly(12);
  const flags = header.subarray(6, 8);
  const isHeader = header.subarray(0, 6).equals(xzMagic) && crc32(flags) === header.readUInt32LE(8);
  if (!isHeader || flags[0] !== 0) throw broken('no xz stream where one should begin');
  for (let size = await input.byte(); size !== 0; size = await input.byte())
    yield* block(input, { headerBytes: (size + 1) * 4, check: checkOf(flags[1] ?? 0) });
  await skipIndex(input);
  const footer = await input.exactly(12);
  if (footer.toString('latin1', 10) !== 'YZ' || !footer.subarray(8, 10).equals(flags)) throw broken('its end is none');
}

async function* block(
  input: ByteInput,
  { headerBytes, check }: { readonly headerBytes: number; readonly check: Check },
): AsyncGenerator<Buffer, void, void> {
  const rest = await input.exactly(headerBytes - 1);
  const header = Buffer.concat([Buffer.from([headerBytes / 4 - 1]), rest]);
  if (crc32(header.subarray(0, -4)) !== header.readUInt32LE(header.length - 4)) throw broken('a block’s header');
  const begun = input.taken;
  for await (const bytes of chunks(input, dictionaryBytesOf(header))) {
    check.update(bytes);
    yield bytes;
  }
  await input.exactly((4 - ((input.taken - begun) % 4)) % 4);
  const told = await input.exactly(check.sizeBytes);
  const found = check.digest();
  if (found !== null && !found.equals(told)) throw broken('its checksum is another');
}

/** The one filter that tars are compressed with; those for programs (BCJ) are refused. */
function dictionaryBytesOf(header: Buffer): number {
  const flags = header[1] ?? 0;
  let at = 2;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = header[at++];
      if (byte === undefined || shift > 42) throw broken('a block’s header');
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
  };
  if ((flags & 0x40) !== 0) number();
  if ((flags & 0x80) !== 0) number();
  const filter = number();
  if ((flags & 3) !== 0 || filter !== lzma2)
    throw new TarError('compressed with an xz filter that is not known here: only LZMA2 can be read');
  number();
  const bits = header[at] ?? 0;
  const bytes = bits >= 40 ? 2 ** 32 : (2 | (bits & 1)) * 2 ** (Math.floor(bits / 2) + 11);
  if (bytes > largestDictionary)
    throw new TarError(
      `compressed with an xz dictionary of ${bytes} bytes: more than ${largestDictionary} are refused`,
    );
  return Math.max(bytes, 4096);
}

async function* chunks(input: ByteInput, dictionaryBytes: number): AsyncGenerator<Buffer, void, void> {
  const decoder = new LzmaDecoder(dictionaryBytes);
  let isBegun = false;
  for (let control = await input.byte(); control !== 0; control = await input.byte()) {
    const resetsDictionary = control === 1 || control >= 0xe0;
    if (resetsDictionary) decoder.resetDictionary();
    else if (!isBegun) throw broken('its first chunk goes on from nothing');
    isBegun = true;
    if (control < 0x80) {
      if (control > 2) throw broken('a chunk of no kind');
      yield decoder.copy(await input.exactly((await input.exactly(2)).readUInt16BE() + 1));
      continue;
    }
    const sizes = await input.exactly(4);
    const size = ((control & 0x1f) << 16) + sizes.readUInt16BE(0) + 1;
    const packedBytes = sizes.readUInt16BE(2) + 1;
    if (control >= 0xc0) decoder.setProperties(await input.byte());
    if (control >= 0xa0) decoder.resetState();
    if (packedBytes < 5) throw broken('a chunk that is too short');
    yield decoder.decode(await input.exactly(packedBytes), size);
  }
}

/** Behind its first byte. What it tells was seen already; it is only passed over. */
async function skipIndex(input: ByteInput): Promise<void> {
  const begun = input.taken - 1;
  const number = async (): Promise<number> => {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = await input.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw broken('its index');
  };
  for (let left = await number(); left > 0; left--) {
    await number();
    await number();
  }
  await input.exactly((4 - ((input.taken - begun) % 4)) % 4);
  await input.exactly(4);
}

function checkOf(type: number): Check {
  switch (type) {
    case 0:
      return { sizeBytes: 0, update: () => undefined, digest: () => null };
    case 1: {
      let value = 0;
      return {
        sizeBytes: 4,
        update: (bytes) => (value = crc32(bytes, value)),
        digest() {
          const digest = Buffer.alloc(4);
          digest.writeUInt32LE(value);
          return digest;
        },
      };
    }
    case 4: {
      const crc = new Crc64();
      return { sizeBytes: 8, update: (bytes) => crc.update(bytes), digest: () => crc.digest() };
    }
    case 10: {
      const hash = createHash('sha256');
      return { sizeBytes: 32, update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
    }
    default:
      throw broken('a check of no known kind');
  }
}

function broken(what: string): TarError {
  return new TarError(`compressed data is broken: xz: ${what}`);
}
