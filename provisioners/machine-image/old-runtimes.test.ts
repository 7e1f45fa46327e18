import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runtimesFolder } from './node-runtime.ts';
import { noteUse } from './note-use.ts';
import { findOldRuntimes } from './old-runtimes.ts';

const inAMonth = (): number => Date.now() + 30 * 24 * 60 * 60_000;

describe('old Node runtimes', () => {
  let cacheDir: string;
  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'skiff-old-runtimes-'));
  });
  afterEach(() => rm(cacheDir, { recursive: true }));

  /** Each used later than the one before by the file system's own clock. */
  async function add(...versions: readonly string[]): Promise<void> {
    await mkdir(runtimesFolder(cacheDir), { recursive: true });
    for (const [index, version] of versions.entries()) {
      await writeFile(fileOf(version), 'node');
      const before = versions[index - 1];
      if (before !== undefined) await useAfter(version, before);
    }
  }
  const fileOf = (version: string): string => join(runtimesFolder(cacheDir), `node-${version}-linux-x64`);
  async function useAfter(version: string, other: string): Promise<void> {
    do await noteUse(fileOf(version));
    while ((await changed(fileOf(version))) <= (await changed(fileOf(other))));
  }
  const changed = async (file: string): Promise<number> => (await stat(file)).ctimeMs;
  const names = async (nowMs: number): Promise<string[]> =>
    (await findOldRuntimes(cacheDir, nowMs)).map(({ name }) => name);

  it('are those that nobody used for a week, but for the two used last', async () => {
    expect(await names(inAMonth())).toEqual([]);
    await add('24.1.0', '24.2.0', '24.3.0', '24.4.0');
    await mkdir(join(runtimesFolder(cacheDir), 'node-24.5.0-linux-x64.4711.new'));
    expect(await names(Date.now())).toEqual([]);
    expect(await names(inAMonth())).toEqual(['node-24.1.0-linux-x64', 'node-24.2.0-linux-x64']);
    await useAfter('24.1.0', '24.4.0');
    expect(await names(inAMonth())).toEqual(['node-24.2.0-linux-x64', 'node-24.3.0-linux-x64']);
  });

  it('go, unless somebody came to use them since', async () => {
    await add('24.1.0', '24.2.0', '24.3.0', '24.4.0');
    const [first, second] = await findOldRuntimes(cacheDir, inAMonth());
    await useAfter('24.1.0', '24.4.0');
    await first?.remove();
    await second?.remove();
    await second?.remove();
    expect(await readdir(runtimesFolder(cacheDir))).toEqual([
      'node-24.1.0-linux-x64',
      'node-24.3.0-linux-x64',
      'node-24.4.0-linux-x64',
    ]);
  });
});
