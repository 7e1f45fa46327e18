import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { TarEntry } from '../../api/tar/entry.ts';
import { TarReader } from '../../api/tar/reader.ts';
import { describeWith } from '../../test/skip.ts';
import { makeNodeAt, setAttributeAt, setTimesAt } from '../kernel/files.ts';
import { mergedTar } from './merged-tar.ts';

describeWith(['linux', 'root'], 'the tar of merged layers', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-merge-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** The folder of a layer, with these files in it; a name that ends in `/` is a directory, `null` a whiteout. */
  const layer = (name: string, files: Readonly<Record<string, string | null>>): string => {
    const root = path.join(folder, name);
    mkdirSync(root);
    for (const [file, content] of Object.entries(files)) {
      const at = path.join(root, file);
      if (file.endsWith('/')) mkdirSync(at, { recursive: true });
      else if (content === null)
        inFolder(at, (directory, one) => makeNodeAt(directory, one, { mode: constants.S_IFCHR, major: 0, minor: 0 }));
      else writeFileSync(at, content);
    }
    return root;
  };
  const inFolder = (file: string, use: (directory: number, name: string) => void): void => {
    const directory = openSync(path.dirname(file), constants.O_DIRECTORY);
    try {
      use(directory, path.basename(file));
    } finally {
      closeSync(directory);
    }
  };
  const attribute = (file: string, key: string, value: Buffer): void =>
    inFolder(file, (directory, name) => setAttributeAt(directory, name, { key, value }));
  const opaque = (file: string): void => attribute(file, 'trusted.overlay.opaque', Buffer.from('y'));

  interface Read extends Pick<TarEntry, 'kind' | 'mode' | 'sizeBytes' | 'modifiedNs' | 'xattrs'> {
    readonly link: string;
    readonly content: Buffer;
    readonly isPlain: boolean;
  }
  const read = (tar: Iterable<Buffer>): ReadonlyMap<string, Read> => {
    const entries = new Map<string, Read>();
    const reader = new TarReader();
    let name = '';
    for (const chunk of tar)
      for (const event of reader.push(chunk)) {
        if (event.kind === 'entry') {
          const { entry, isPlain } = event;
          name = entry.name.toString('latin1');
          const content = Buffer.alloc(entry.sizeBytes);
          entries.set(name, { ...entry, link: entry.linkName.toString('latin1'), content, isPlain });
        } else if (event.kind === 'data') event.bytes.copy(entries.get(name)?.content ?? Buffer.alloc(0), event.atByte);
      }
    expect([...reader.end()]).toEqual([]);
    return entries;
  };
  const names = (range: readonly string[], lowers: readonly string[] = []): readonly string[] => [
    ...read(mergedTar(range, lowers)).keys(),
  ];

  it('the layer on top wins, names are in the order of their bytes', () => {
    const [low, top] = [
      layer('low', { 'd/': '', 'd/b': 'low', a: 'low' }),
      layer('top', { 'd/': '', 'd/b': 'top', c: '' }),
    ];
    const merged = read(mergedTar([top, low], []));
    expect([...merged.keys()]).toEqual(['./', 'a', 'c', 'd/', 'd/b']);
    expect(merged.get('d/b')?.content.toString()).toBe('top');
  });

  it('a whiteout stays only where there is something below the range to hide', () => {
    const base = layer('base', { 'd/': '', 'd/old': 'x', gone: 'x' });
    const low = layer('low', { 'd/': '', 'd/mine': 'x', tmp: 'x' });
    const top = layer('top', { 'd/': '', 'd/old': null, 'd/mine': null, gone: null, tmp: null });
    expect(names([top, low], [base])).toEqual(['./', 'd/', 'd/.wh.old', '.wh.gone']);
    expect(names([top, low, base])).toEqual(['./', 'd/']);
  });

  it('an opaque directory, or one that came back, hides what is below the range', () => {
    const base = layer('base', { 'd/': '', 'd/old': 'x', 'e/': '', 'e/old': 'x' });
    const low = layer('low', { 'd/': '', 'd/low': 'x', e: null });
    opaque(path.join(low, 'd'));
    const top = layer('top', { 'd/': '', 'd/top': 'x', 'e/': '', 'e/new': 'x' });
    opaque(path.join(top, 'e'));
    const kept = ['d/low', 'd/top'];
    expect(names([top, low], [base])).toEqual(['./', 'd/', 'd/.wh..wh..opq', ...kept, 'e/', 'e/.wh..wh..opq', 'e/new']);
    expect(names([top, low])).toEqual(['./', 'd/', ...kept, 'e/', 'e/new']);
  });

  it('a file in the place of a directory takes what was in it along', () => {
    const low = layer('low', { 'd/': '', 'd/x': 'x' });
    const top = layer('top', { d: 'file' });
    expect(names([top, low])).toEqual(['./', 'd']);
    expect(names([low, top])).toEqual(['./', 'd/', 'd/x']);
  });

  it('keeps times to the nanosecond, modes, attributes, links and the names of one file', () => {
    const low = layer('low', { a: 'content', tool: 'x' });
    linkSync(path.join(low, 'a'), path.join(low, 'b'));
    symlinkSync('a', path.join(low, 'l'));
    chmodSync(path.join(low, 'tool'), 0o4755);
    attribute(path.join(low, 'a'), 'user.note', Buffer.from('mine'));
    attribute(path.join(low, 'tool'), 'security.capability', Buffer.from(`0100000200200000${'00'.repeat(12)}`, 'hex'));
    inFolder(path.join(low, 'a'), (directory, name) => setTimesAt(directory, name, 1_580_702_706_123_456_789n));
    inFolder(path.join(low, 'l'), (directory, name) => setTimesAt(directory, name, 7_000_000_000n));
    const merged = read(mergedTar([low], []));
    expect(merged.get('a')).toMatchObject({ kind: 'file', modifiedNs: 1_580_702_706_123_456_789n });
    expect(merged.get('a')?.xattrs.get('user.note')?.toString()).toBe('mine');
    expect(merged.get('b')).toMatchObject({ kind: 'hardlink', link: 'a' });
    expect(merged.get('l')).toMatchObject({ kind: 'symlink', link: 'a', modifiedNs: 7_000_000_000n });
    expect(merged.get('tool')).toMatchObject({ mode: 0o4755 });
    expect(merged.get('tool')?.xattrs.get('security.capability')).toHaveLength(20);
  });

  it('names of one file are one file only where the layer on top left both', () => {
    const low = layer('low', { a: 'content' });
    linkSync(path.join(low, 'a'), path.join(low, 'b'));
    linkSync(path.join(low, 'a'), path.join(low, 'c'));
    const merged = read(mergedTar([layer('top', { a: 'new' }), low], []));
    expect(merged.get('a')?.content.toString()).toBe('new');
    expect(merged.get('b')).toMatchObject({ kind: 'file', sizeBytes: 7 });
    expect(merged.get('c')).toMatchObject({ kind: 'hardlink', link: 'b' });
  });

  it('holes stay holes, in the archive too', () => {
    const low = layer('low', {});
    const file = path.join(low, 'thin');
    const fd = openSync(file, 'w');
    ftruncateSync(fd, 50_000_000);
    writeSync(fd, 'in the middle', 20_000_000);
    writeSync(fd, 'end', 49_999_997);
    closeSync(fd);
    const tar = Buffer.concat([...mergedTar([low], [])]);
    expect(tar.length).toBeLessThan(300_000);
    const thin = read([tar]).get('thin');
    expect(thin).toMatchObject({ sizeBytes: 50_000_000, isPlain: false });
    expect(thin?.content.subarray(20_000_000, 20_000_013).toString()).toBe('in the middle');
    expect(thin?.content.subarray(49_999_997).toString()).toBe('end');
    const unpacked = path.join(folder, 'by-tar');
    mkdirSync(unpacked);
    execFileSync('tar', ['-x', '-C', unpacked], { input: tar });
    execFileSync('cmp', [file, path.join(unpacked, 'thin')]);
  });

  it('the same layers give the same bytes', () => {
    const low = layer('low', { 'd/': '', 'd/a': 'x', b: 'y' });
    const top = layer('top', { 'd/': '', 'd/a': null, c: 'z' });
    const once = Buffer.concat([...mergedTar([top, low], [])]);
    expect(once.equals(Buffer.concat([...mergedTar([top, low], [])]))).toBe(true);
  });
});
