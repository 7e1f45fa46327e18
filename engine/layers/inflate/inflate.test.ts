import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { lacking } from '../../../test/skip.ts';
import { decompressed } from '../compression.ts';

/** A text with runs, repetition near and far, and noise: what the branches of both formats are for. */
function sample(bytes: number): Buffer {
  const parts: Buffer[] = [];
  let size = 0;
  for (let round = 0; size < bytes; round++) {
    const hash = createHash('sha512').update(String(round)).digest();
    const part = [
      hash,
      Buffer.alloc(round % 700, round & 0xff),
      Buffer.from(`line ${round % 97} of a text that repeats\n`),
    ];
    parts.push(...part);
    size += part.reduce((sum, { length }) => sum + length, 0);
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function inflate(bytes: Buffer, pieceBytes = 70_001): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of decompressed(inPieces(bytes, pieceBytes), 'all')) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** Each of these makes every reader a dictionary of megabytes anew, which takes longer than all that is read. */
const ofLargeDictionaries = ['xz -6', 'xz -9e'];
const ofSmallDictionaries = [
  'xz -0',
  'xz -0 --check=crc32',
  'xz -0 --check=sha256',
  'xz -0 --check=none',
  'xz --lzma2=preset=0,lc=1,lp=3,pb=0',
  'xz -0 --block-size=100000',
  'bzip2 -1',
  'bzip2 -9',
];

/** More than one block of bzip2, or chunk of xz and its smallest dictionary, holds. */
const beyondOneBlock = (command: string): number => (command.startsWith('bzip2') ? 1_200_001 : 400_001);

/** The programs are asked what the format is: nothing of ours writes it. */
function packing(command: string) {
  const [program = '', ...args] = command.split(' ');
  const reason = lacking([{ program }]);
  return {
    test: it.skipIf(reason !== null),
    why: reason === null ? '' : ` (${reason})`,
    pack: (bytes: Buffer): Buffer =>
      execFileSync(program, ['-c', ...args], { input: bytes, maxBuffer: 1 << 28, timeout: 60_000 }),
  };
}

describe.each([...ofSmallDictionaries, ...ofLargeDictionaries])('what %s has compressed', (command) => {
  const { test, why, pack } = packing(command);

  test(`comes back byte for byte${why}`, { timeout: 120_000 }, async () => {
    for (const bytes of [1, 5, 300, beyondOneBlock(command)]) {
      const plain = sample(bytes);
      expect((await inflate(pack(plain))).equals(plain), `${bytes} bytes`).toBe(true);
    }
    for (const plain of [Buffer.alloc(0), Buffer.alloc(1_000_000), Buffer.alloc(1000, 'ab')])
      expect((await inflate(pack(plain), 13)).equals(plain)).toBe(true);
  });

  test(`several files one behind the other are read as one${why}`, async () => {
    const packed = Buffer.concat([pack(sample(1000)), pack(Buffer.from('second'))]);
    expect((await inflate(packed)).equals(Buffer.concat([sample(1000), Buffer.from('second')]))).toBe(true);
  });
});

describe.each(ofSmallDictionaries)('what %s has compressed and something has changed', (command) => {
  const { test, why, pack } = packing(command);

  test(
    `is refused when it is cut, and never taken for another when a bit is turned over${why}`,
    { timeout: 120_000 },
    async () => {
      const plain = sample(20_000);
      const packed = pack(plain);
      for (let cut = 1; cut < packed.length; cut += 97) {
        const isHeaderAlone = packed.subarray(0, cut).length < 6;
        if (isHeaderAlone) continue; // too short to be told from a plain file
        await expect(inflate(packed.subarray(0, cut))).rejects.toThrow('broken');
      }
      if (command.includes('--check=none')) return;
      for (let at = 6; at < packed.length - 12; at += 53) {
        const turned = Buffer.from(packed);
        turned[at] = (turned[at] ?? 0) ^ 0x10;
        const found = await inflate(turned).catch((error: unknown) => String(error));
        // A bit of the index or of padding says nothing of the content.
        expect(typeof found === 'string' ? /broken|xz/.test(found) : found.equals(plain), `byte ${at}`).toBe(true);
      }
    },
  );
});

it('an xz file that asks for a dictionary of gigabytes is refused', async () => {
  const reason = lacking([{ program: 'xz' }]);
  if (reason !== null) return;
  const packed = execFileSync('xz', ['-c', '--lzma2=preset=0,dict=512MiB'], { input: 'x', timeout: 60_000 });
  await expect(inflate(packed)).rejects.toThrow('xz dictionary of 536870912 bytes');
});
