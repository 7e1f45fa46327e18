import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { expect, it } from 'vitest';
import { fetchPackages, userCache } from '../../test/peers/debian-packages.ts';
import { describeWith } from '../../test/skip.ts';
import { answeredCall, numbered } from './libc.ts';

const engine = join(import.meta.dirname, '..');
const glibc = process.arch === 'x64' ? '/lib/x86_64-linux-gnu/libc.so.6' : '/lib/aarch64-linux-gnu/libc.so.6';

/** Names of the C functions that sources declare, but for libnftables' and those that may be missing. */
function declaredFunctions(): string[] {
  const sources = globSync('**/*.ts', { cwd: engine })
    .filter((path) => !path.endsWith('.test.ts'))
    .map((path) => readFileSync(join(engine, path), 'utf8'));
  const prototypes = sources.flatMap((text) => [
    ...text.matchAll(/(optionalFunction\(\s*)?'(?:int|long|ssize_t|int64_t|void \*|const char \*) ?(\w+)\([^']*\)'/g),
  ]);
  const names = prototypes.flatMap(([, optional, name = '']) =>
    optional === undefined && !name.startsWith('nft_') ? [name] : [],
  );
  return [...new Set(names)].filter((name) => !(name in numbered)).sort();
}

/** Lines of a C library's table of symbols. */
function symbols(library: string): string[] {
  return execFileSync('readelf', ['--dyn-syms', '--wide', library], { encoding: 'utf8', timeout: 30_000 }).split('\n');
}

describeWith(['linux'], 'a call whose errno a lock of V8 wrote over', () => {
  const prototype = 'int ftw(const char *path, void *visit, int descriptors)';
  const { EAGAIN, ENODATA, EPERM } = constants.errno;

  /** Calls a function of libc that fails with these, one after the other, and succeeds after the last. */
  function callFailing(...errnos: number[]): number | null {
    const visitor = koffi.pointer(koffi.proto('int (const char *path, const void *stat, int kind)'));
    const visit = koffi.register(() => {
      const errno = errnos.shift();
      if (errno === undefined) return 0;
      koffi.errno(errno);
      return -1;
    }, visitor);
    const path = Buffer.from(`${import.meta.filename}\0`);
    try {
      return answeredCall<[Buffer, bigint, number]>(prototype, [ENODATA])('here', path, visit, 1);
    } finally {
      koffi.unregister(visit);
    }
  }

  it('is made once more, and says what it says then', () => {
    expect(callFailing(EAGAIN, ENODATA)).toBe(null);
    expect(callFailing(EAGAIN)).toBe(0);
    expect(() => callFailing(EAGAIN, EPERM)).toThrow('ftw here: operation not permitted (EPERM)');
  });

  it('is not made for ever', () => {
    expect(() => callFailing(EAGAIN, EAGAIN)).toThrow('(EAGAIN)');
  });
});

describeWith(['linux', { program: 'readelf' }, { file: glibc }], 'the C library of a host', () => {
  it('may be as old as glibc 2.28, the oldest that runs Node', () => {
    const names = declaredFunctions();
    expect(names).toContain('posix_spawn');
    const since = new Map(
      symbols(glibc).flatMap((line) => {
        const [, name = '', minor = ''] = /(\w+)@@GLIBC_2\.(\d+)/.exec(line) ?? [];
        return [[name, Number(minor)] as const];
      }),
    );
    // What moved from one library of glibc to another (2.34) has an older version beside, without which nothing older would run.
    const older = new Set(symbols(glibc).flatMap((line) => /(\w+)@GLIBC_2\.(?:\d|1\d|2[0-8])\b/.exec(line)?.[1] ?? []));
    expect(names.filter((name) => (since.get(name) ?? Infinity) > 28 && !older.has(name))).toEqual([]);
  });
});

describeWith(['linux', { program: 'readelf' }, { program: 'apt-get' }, 'root'], 'a host of musl', () => {
  it('has every function of the C library that the engine cannot do without', () => {
    const musl = fetchPackages({
      ...{ cacheFolder: userCache(), name: 'musl-bookworm', suite: 'bookworm', packages: ['musl'] },
      proof: 'usr/bin/ld-musl-config',
    });
    const [library = ''] = globSync(join(musl, 'lib/ld-musl-*'));
    const has = new Set(symbols(library).flatMap((line) => / (\w+)$/.exec(line)?.[1] ?? []));
    expect(declaredFunctions().filter((name) => !has.has(name))).toEqual([]);
  });
});
