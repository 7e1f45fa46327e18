import { describe, expect, it } from 'vitest';
import { type TarEntry, TarError } from './entry.ts';
import { encodeRecord } from './pax.ts';
import { TarReader } from './reader.ts';
import { encodeEntry, endOfArchive, padding } from './writer.ts';

interface Read {
  readonly entry: TarEntry;
  readonly content: Buffer;
}

/** Reads a whole archive, cut at the given places. */
function read(archive: Buffer, cuts: readonly number[] = []): Read[] {
  const reader = new TarReader();
  const found: Read[] = [];
  let entry: TarEntry | null = null;
  let content = Buffer.alloc(0);
  const take = (events: Iterable<ReturnType<TarReader['push']> extends Generator<infer E> ? E : never>): void => {
    for (const event of events) {
      if (event.kind === 'entry') {
        entry = event.entry;
        content = Buffer.alloc(event.entry.sizeBytes);
      } else if (event.kind === 'data') event.bytes.copy(content, event.atByte);
      else if (entry !== null) found.push({ entry, content });
    }
  };
  const places = [0, ...cuts, archive.length];
  places.slice(1).forEach((end, index) => take(reader.push(archive.subarray(places[index], end))));
  take(reader.end());
  return found;
}

/** A repeatable source of numbers: a failure can be run again. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}

function randomEntry(random: (below: number) => number): { entry: TarEntry; content: Buffer } {
  const kind =
    (['file', 'file', 'directory', 'symlink', 'hardlink', 'character-device', 'fifo'] as const)[random(7)] ?? 'file';
  const bytes = (length: number, from = 1): Buffer =>
    Buffer.from(Array.from({ length }, () => from + random(255 - from)));
  const isLink = kind === 'symlink' || kind === 'hardlink';
  const content = kind === 'file' ? bytes(random(2000), 0) : Buffer.alloc(0);
  const entry: TarEntry = {
    kind,
    name: bytes(1 + random(300)),
    linkName: isLink ? bytes(1 + random(200)) : Buffer.alloc(0),
    mode: random(0o10000),
    userId: random(2) === 0 ? random(1000) : 0x7fffffff + random(100),
    groupId: random(70000),
    sizeBytes: content.length,
    modifiedNs: BigInt(random(2_000_000_000)) * 1_000_000_000n + BigInt(random(2) === 0 ? 0 : random(1_000_000_000)),
    device: kind === 'character-device' ? { major: random(4000), minor: random(256) } : { major: 0, minor: 0 },
    xattrs: new Map(
      random(3) === 0
        ? [
            ['user.a', bytes(random(50), 0)],
            ['security.capability', bytes(20, 0)],
          ]
        : [],
    ),
  };
  return { entry, content };
}

const file = (name: string, content = 'x', more: Partial<TarEntry> = {}): Buffer =>
  encodeEntry({ kind: 'file', name: Buffer.from(name), ...more }, Buffer.from(content));

/** An entry whose header is changed by hand, with its checksum made right again. */
function patched(archive: Buffer, at: number, bytes: Buffer | string): Buffer {
  const copy = Buffer.from(archive);
  Buffer.from(bytes as string, 'latin1').copy(copy, at);
  copy.fill(0x20, 148, 156);
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}

const paxed = (records: readonly (readonly [string, string | Buffer])[], next: Buffer, type = 'x'): Buffer => {
  const data = Buffer.concat(records.map(([key, value]) => encodeRecord(key, Buffer.from(value as string, 'latin1'))));
  return Buffer.concat([patched(encodeEntry({ kind: 'file', name: Buffer.from('pax') }, data), 156, type), next]);
};

const names = (archive: Buffer): string[] => read(archive).map(({ entry }) => entry.name.toString('latin1'));

describe('a tar archive', () => {
  it('comes back as it was written, wherever the stream is cut', () => {
    const random = randomNumbers(7);
    for (let round = 0; round < 60; round++) {
      const entries = Array.from({ length: 1 + random(8) }, () => randomEntry(random));
      const archive = Buffer.concat([
        ...entries.map(({ entry, content }) => encodeEntry(entry, content)),
        endOfArchive,
      ]);
      const cuts = Array.from({ length: random(40) }, () => random(archive.length)).sort((a, b) => a - b);
      expect(read(archive, cuts)).toEqual(entries);
    }
  });

  it('gives the same bytes for the same entries', () => {
    const once = randomEntry(randomNumbers(3));
    const again = randomEntry(randomNumbers(3));
    expect(encodeEntry(once.entry, once.content)).toEqual(encodeEntry(again.entry, again.content));
  });

  it('cut off anywhere is read up to there or refused, and never waits', () => {
    const archive = Buffer.concat([file('a', 'abc'), paxed([['path', 'long']], file('b')), endOfArchive]);
    for (let length = 0; length < archive.length; length++) {
      try {
        expect(read(archive.subarray(0, length)).length).toBeLessThanOrEqual(2);
      } catch (error) {
        expect(error).toBeInstanceOf(TarError);
      }
    }
  });

  it('that is noise is refused or read, and never hangs or breaks the reader', () => {
    const random = randomNumbers(11);
    const whole = Buffer.concat([file('a', 'abc'), paxed([['mtime', '1.5']], file('b')), file('c'), endOfArchive]);
    for (let round = 0; round < 3000; round++) {
      const noisy = Buffer.from(whole);
      for (let flips = 1 + random(4); flips > 0; flips--) noisy[random(noisy.length)] = random(256);
      if (random(2) === 0) patched(noisy, 0, '').copy(noisy);
      try {
        read(noisy);
      } catch (error) {
        expect(error).toBeInstanceOf(TarError);
      }
    }
  });

  it.each([
    ['without end blocks', file('a')],
    ['with one end block', Buffer.concat([file('a'), Buffer.alloc(512)])],
    ['with anything behind the end', Buffer.concat([file('a'), endOfArchive, Buffer.from('garbage'.repeat(500))])],
    ['with a short rest of zeros', Buffer.concat([file('a'), Buffer.alloc(100)])],
    ['without the last padding', file('a').subarray(0, 513)],
  ])('%s is read', (_, archive) => {
    expect(names(archive)).toEqual(['a']);
  });

  it('takes what a PAX header says over the header, a local one over a global one, and each for its own entry', () => {
    const archive = Buffer.concat([
      paxed(
        [
          ['uid', '5'],
          ['mtime', '3.25'],
        ],
        Buffer.alloc(0),
        'g',
      ),
      paxed(
        [
          ['path', 'dir/\xffname'],
          ['uid', '3000000000'],
          ['SCHILY.xattr.user.x', 'a\0b\n'],
        ],
        file('short'),
      ),
      file('next', 'yy'),
    ]);
    const [first, second] = read(archive);
    expect(first?.entry).toMatchObject({
      name: Buffer.from('dir/\xffname', 'latin1'),
      userId: 3_000_000_000,
      modifiedNs: 3_250_000_000n,
      xattrs: new Map([['user.x', Buffer.from('a\0b\n')]]),
    });
    expect(second?.entry).toMatchObject({ name: Buffer.from('next'), userId: 5, sizeBytes: 2 });
    expect(second?.entry.xattrs.size).toBe(0);
  });

  it('has GNU long names, base-256 numbers and the prefix of ustar', () => {
    const long = 'n'.repeat(300);
    const longEntry = (type: string, text: string): Buffer =>
      patched(encodeEntry({ kind: 'file', name: Buffer.from('././@LongLink') }, Buffer.from(`${text}\0`)), 156, type);
    const wide = Buffer.alloc(8);
    wide[0] = 0x80;
    wide.writeUInt32BE(4_000_000_000, 4);
    const archive = Buffer.concat([
      longEntry('L', long),
      longEntry('K', `${long}t`),
      encodeEntry({ kind: 'symlink', name: Buffer.from('n'), linkName: Buffer.from('t') }),
      patched(file('big'), 108, wide),
      patched(file('name'), 345, 'the/prefix'),
      patched(patched(file('gnu'), 257, 'ustar  \0'), 345, 'atime'),
    ]);
    expect(read(archive).map(({ entry }) => [entry.name.toString(), entry.linkName.toString(), entry.userId])).toEqual([
      [long, `${long}t`, 0],
      ['big', '', 4_000_000_000],
      ['the/prefix/name', '', 0],
      ['gnu', '', 0],
    ]);
  });

  it('has hard links that repeat a size without content, and old directories that are files with a slash', () => {
    const archive = Buffer.concat([
      patched(
        encodeEntry({ kind: 'hardlink', name: Buffer.from('l'), linkName: Buffer.from('a') }),
        124,
        '00000001000',
      ),
      patched(encodeEntry({ kind: 'file', name: Buffer.from('d/') }), 156, '\0'),
      file('a'),
    ]);
    expect(read(archive).map(({ entry }) => [entry.kind, entry.sizeBytes])).toEqual([
      ['hardlink', 0],
      ['directory', 0],
      ['file', 1],
    ]);
  });

  const sparse = Buffer.concat([Buffer.from('AAAA'), Buffer.alloc(996), Buffer.from('BB'), Buffer.alloc(98)]);
  it.each([
    [
      'PAX 1.0',
      paxed(
        [
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.name', 'f'],
          ['GNU.sparse.realsize', '1100'],
        ],
        file('GNUSparseFile.0/f', `2\n0\n4\n1000\n2\n${'\0'.repeat(512 - 13)}AAAABB`),
      ),
    ],
    [
      'PAX 0.1',
      paxed(
        [
          ['GNU.sparse.size', '1100'],
          ['GNU.sparse.map', '0,4,1000,2'],
        ],
        file('f', 'AAAABB'),
      ),
    ],
    [
      'PAX 0.0',
      paxed(
        [
          ['GNU.sparse.size', '1100'],
          ['GNU.sparse.offset', '0'],
          ['GNU.sparse.numbytes', '4'],
          ['GNU.sparse.offset', '1000'],
          ['GNU.sparse.numbytes', '2'],
        ],
        file('f', 'AAAABB'),
      ),
    ],
    [
      'old GNU',
      patched(
        file('f', 'AAAABB'),
        0,
        (() => {
          const header = Buffer.from(file('f', 'AAAABB').subarray(0, 512));
          header.write('S', 156, 'latin1');
          header.write('ustar  \0', 257, 'latin1');
          header.fill(0, 329, 512);
          ['00000000000', '00000000004', '00000001750', '00000000002'].forEach((text, index) =>
            header.write(text, 386 + index * 12, 'latin1'),
          );
          header.write('00000002114', 483, 'latin1');
          return header;
        })(),
      ),
    ],
  ])('has sparse files (%s)', (_, archive) => {
    const [first, second] = read(Buffer.concat([archive, file('next')]), [100, 700, 1100]);
    expect([first?.entry.name.toString(), first?.content]).toEqual(['f', sparse]);
    expect(second?.entry.name.toString()).toBe('next');
  });

  it.each([
    [
      'a wrong checksum',
      Buffer.concat([Buffer.alloc(148, 1), Buffer.from('0000001\0'), Buffer.alloc(356, 1)]),
      /checksum/,
    ],
    ['text', Buffer.from('this is no archive at all '.repeat(40)), /checksum is not a number|wrong header checksum/],
    ['an end inside a file', file('half', 'x'.repeat(600)).subarray(0, 800), /ends inside "half"/],
    ['an end inside a header', file('a').subarray(0, 300), /ends inside a header/],
    ['an end behind a PAX header', paxed([['path', 'a']], endOfArchive), /ends behind an extended header/],
    ['a size of 2^63', paxed([['size', '9223372036854775808']], file('a')), /size is out of range/],
    [
      'a size of 2^63 in base-256',
      patched(file('a'), 124, Buffer.from([0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0])),
      /size is out of range/,
    ],
    ['a negative size', patched(file('a'), 124, Buffer.alloc(12, 0xff)), /negative size/],
    [
      'a PAX bomb',
      patched(patched(file('a'), 124, '77777777777\0'), 156, 'x'),
      /an extended header of 8589934591 bytes/,
    ],
    ['a NUL in a name', paxed([['path', 'a\0b']], file('a')), /path holds a NUL/],
    ['a malformed PAX record', patched(file('p', '12 path=a\n'), 156, 'x'), /malformed PAX record/],
    ['an endless PAX length', patched(file('p', '99999999 path=a\n'), 156, 'x'), /malformed PAX record/],
    ['an unknown type', patched(file('a'), 156, 'M'), /"a" is of the unknown type "M"/],
    ['a lone block of zeros', Buffer.concat([file('a'), Buffer.alloc(512), file('b')]), /lone block of zeros/],
    [
      'a sparse map that overlaps',
      paxed(
        [
          ['GNU.sparse.size', '9'],
          ['GNU.sparse.map', '0,4,2,2'],
        ],
        file('f', 'AAAABB'),
      ),
      /overlap/,
    ],
    [
      'a sparse map that leads out',
      paxed(
        [
          ['GNU.sparse.size', '5'],
          ['GNU.sparse.map', '0,6'],
        ],
        file('f', 'AAAABB'),
      ),
      /leads out/,
    ],
    [
      'a sparse map of nothing',
      paxed(
        [
          ['GNU.sparse.size', '9'],
          ['GNU.sparse.map', '0,5'],
        ],
        file('f', 'AAAABB'),
      ),
      /does not fit/,
    ],
    [
      'a sparse map without end',
      paxed(
        [
          ['GNU.sparse.realsize', '9'],
          ['GNU.sparse.major', '1'],
        ],
        file('f', '99999\n'),
      ),
      /malformed sparse map/,
    ],
  ])('with %s is refused', (_, archive, message) => {
    expect(() => read(archive)).toThrow(message);
    expect(() => read(archive)).toThrow(TarError);
  });

  it('pads to whole blocks', () => {
    expect([0, 1, 512, 513].map((size) => padding(size).length)).toEqual([0, 511, 0, 511]);
  });
});
