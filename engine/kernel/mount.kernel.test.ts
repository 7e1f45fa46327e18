import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { readMounts } from './mount-table.ts';
import { type Overlay, bindMount, mountOverlay, mountOverlayByOptions, unmount, unmountAside } from './mount.ts';

describeWith(['linux', 'root'], 'mounts', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-mount-'));
  });
  afterEach(() => {
    const left = mountsBelow(folder);
    for (const target of left.toReversed()) unmount(target, { isDetached: true });
    rmSync(folder, { recursive: true });
    expect(left).toEqual([]);
  });

  const make = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const overlayOf = (lowers: readonly string[], prefix = '') => ({
    lowers,
    upper: make(`${prefix}upper`),
    work: make(`${prefix}work`),
    target: make('merged'),
  });

  it('stacks layers, the first on top, and writes into the upper one', () => {
    const lowers = ['top', 'middle', 'bottom'].map(make);
    for (const lower of lowers) writeFileSync(join(lower, 'name'), lower);
    const overlay = overlayOf(lowers);
    mountOverlay(overlay);
    expect(readFileSync(join(overlay.target, 'name'), 'utf8')).toBe(lowers[0]);
    writeFileSync(join(overlay.target, 'new'), 'written');
    expect(readdirSync(overlay.upper)).toEqual(['new']);
    unmount(overlay.target);
    expect(readdirSync(overlay.target)).toEqual([]);
  });

  it.each([
    ['step by step', mountOverlay],
    ['by options, as kernels before 6.8 want it', (overlay: Overlay) => mountOverlayByOptions(overlay, overlay)],
  ])('stacks 128 layers with long names %s, more than a page of options', (_, mount) => {
    const long = 'layer-'.padEnd(120, 'x');
    const lowers = Array.from({ length: 128 }, (_, at) => make(`${long}${at}`));
    lowers.forEach((lower, at) => writeFileSync(join(lower, `file-${at}`), ''));
    const overlay = overlayOf(lowers);
    mount(overlay);
    expect(readdirSync(overlay.target)).toHaveLength(128);
    unmount(overlay.target);
  });

  it.each(['with:colon', 'with,comma', 'with\\backslash', 'with space', `${'deep/'.repeat(60)}end`])(
    'takes folders %s',
    (prefix) => {
      const lower = make(`${prefix}/lower`);
      writeFileSync(join(lower, 'here'), '');
      const overlay = overlayOf([lower], `${prefix}/`);
      mountOverlay(overlay);
      expect(readdirSync(overlay.target)).toEqual(['here']);
      unmount(overlay.target);
    },
  );

  it.each([
    ['step by step', mountOverlay],
    ['by options', (overlay: Overlay) => mountOverlayByOptions(overlay, overlay)],
  ])('mounts what need not last without waiting for the disk (%s), and can be mounted again', async (_, mount) => {
    const overlay = overlayOf([make('lower')]);
    mount({ ...overlay, isVolatile: true });
    expect(
      readMounts()
        .find(({ target }) => target === overlay.target)
        ?.superOptions.join(),
    ).toContain('volatile');
    writeFileSync(join(overlay.target, 'new'), 'written');
    await unmountAside(overlay.target);
    expect(readdirSync(overlay.target)).toEqual([]);
    mountOverlay(overlay);
    expect(readFileSync(join(overlay.target, 'new'), 'utf8')).toBe('written');
    await unmountAside(overlay.target);
  });

  it('is gone from the tree before the end of an unmount that is done aside', async () => {
    const overlay = overlayOf([make('lower')]);
    mountOverlay(overlay);
    const ending = unmountAside(overlay.target);
    expect(mountsBelow(folder)).toEqual([]);
    await ending;
  });

  it('names the folders and keeps the error code when the kernel refuses', () => {
    const overlay = overlayOf([join(folder, 'missing')]);
    expect(() => mountOverlay(overlay)).toThrow(
      expect.objectContaining({ code: 'ENOENT', message: expect.stringContaining(join(folder, 'missing')) as string }),
    );
    expect(() => mountOverlay({ ...overlay, lowers: [] })).toThrow('at least one lower folder');
    expect(() => unmount(folder)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => bindMount({ source: join(folder, 'missing'), target: folder })).toThrow(
      expect.objectContaining({ code: 'ENOENT', message: expect.stringContaining('missing') as string }),
    );
  });

  it('binds a folder, read-only when asked', () => {
    const source = make('source');
    const target = make('target');
    bindMount({ source, target, isReadOnly: true });
    expect(() => writeFileSync(join(target, 'x'), '')).toThrow(expect.objectContaining({ code: 'EROFS' }));
    writeFileSync(join(source, 'x'), '');
    expect(readdirSync(target)).toEqual(['x']);
    unmount(target);
  });

  it('refuses to unmount what is in use, unless detached', () => {
    const source = make('source');
    const target = make('target');
    bindMount({ source, target });
    const inner = join(target, 'inner');
    mkdirSync(inner);
    bindMount({ source: make('other'), target: inner });
    chmodSync(source, 0o755);
    expect(() => unmount(target)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    unmount(target, { isDetached: true });
    expect(mountsBelow(folder)).toEqual([]);
  });
});

function mountsBelow(folder: string): string[] {
  return readMounts()
    .map((entry) => entry.target)
    .filter((target) => target.startsWith(`${folder}/`));
}
