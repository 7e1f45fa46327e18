import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decompressed } from './compression.ts';

async function* pieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function all(source: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return chunks;
}

async function read(data: Buffer, size = 1000): Promise<Buffer> {
  return Buffer.concat(await all(decompressed(pieces(data, size))));
}

const text = Buffer.from('some text, often '.repeat(20_000));

const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 9, 0, 0, 0]), Buffer.alloc(9, 1)]);

describe('decompressed', () => {
  it.each([
    ['plain', text, text],
    ['gzip', gzipSync(text), text],
    ['zstd', zstdCompressSync(text), text],
    [
      'gzip of several members',
      Buffer.concat([gzipSync(text), gzipSync('more')]),
      Buffer.concat([text, Buffer.from('more')]),
    ],
    [
      'zstd of several frames',
      Buffer.concat([zstdCompressSync(text), zstdCompressSync('more')]),
      Buffer.concat([text, Buffer.from('more')]),
    ],
    ['zstd with a frame to skip', Buffer.concat([skippable, zstdCompressSync(text), skippable]), text],
    ['nothing', Buffer.alloc(0), Buffer.alloc(0)],
    ['less than a magic number', Buffer.from('ab'), Buffer.from('ab')],
  ])('reads %s, however it is cut', async (_, data, expected) => {
    for (const size of [1, 3, 1000, 1 << 20]) {
      if (size < 10 && data.length > 5000) continue;
      expect((await read(data, size)).equals(expected)).toBe(true);
    }
  });

  it.each([
    ['cut gzip', gzipSync(text).subarray(0, 500), /compressed data is broken: unexpected end of file/],
    ['damaged gzip', Buffer.from(gzipSync(text)).fill(7, 200, 260), /compressed data is broken/],
    ['cut zstd', zstdCompressSync(text).subarray(0, 25), /compressed data is broken: it ends inside/],
    [
      'zstd with garbage behind it',
      Buffer.concat([zstdCompressSync(text), Buffer.from('garbage')]),
      /no zstd frame where one should begin/,
    ],
    [
      'xz',
      Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00]),
      /compressed with xz: plain, gzip and zstd can be read/,
    ],
    ['bzip2', Buffer.from('BZh91AY&SY'), /compressed with bzip2/],
  ])('refuses %s', async (_, data, message) => {
    await expect(read(data)).rejects.toThrow(message);
  });

  it('lets go of its source when the reader stops early, and tells an error of the source as it is', async () => {
    let isReleased = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield gzipSync(text);
      } finally {
        isReleased = true;
      }
    }
    for await (const chunk of decompressed(source())) if (chunk.length > 0) break;
    expect(isReleased).toBe(true);

    async function* failing(): AsyncGenerator<Buffer> {
      yield gzipSync(text).subarray(0, 100);
      throw new Error('the line broke');
    }
    await expect(all(decompressed(failing()))).rejects.toThrow('the line broke');
  });
});
