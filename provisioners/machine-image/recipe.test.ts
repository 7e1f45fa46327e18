import { cpSync, mkdtempSync, rmSync, writeFileSync, appendFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRecipe, recipeFolder, recipeHash } from './recipe.ts';

describe('the recipe of the machine image', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-recipe-'));
    cpSync(recipeFolder, folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const hash = (change: { arch?: 'amd64' | 'arm64'; nodeVersion?: string } = {}): string =>
    recipeHash({ recipe: readRecipe(folder), arch: 'amd64', nodeVersion: '24.0.0', ...change });

  it('has the same hash wherever it lies', () => {
    expect(hash()).toBe(recipeHash({ recipe: readRecipe(), arch: 'amd64', nodeVersion: '24.0.0' }));
    expect(hash()).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([
    ['a boot script changes', () => appendFileSync(join(folder, 'root/usr/lib/skiff/boot'), '# more\n')],
    ['a boot script is no longer executable', () => chmodSync(join(folder, 'root/usr/lib/skiff/boot'), 0o644)],
    ['a file is added', () => writeFileSync(join(folder, 'root/etc/motd'), '')],
    ['the initrd changes', () => appendFileSync(join(folder, 'initrd/init'), '\n')],
  ])('has another hash when %s', (_what, change) => {
    const before = hash();
    change();
    expect(hash()).not.toBe(before);
  });

  it('has another hash for another architecture and another Node', () => {
    expect(new Set([hash(), hash({ arch: 'arm64' }), hash({ nodeVersion: '24.0.1' })]).size).toBe(3);
  });

  it('keeps its hash when only its prose changes', () => {
    const before = hash();
    appendFileSync(join(folder, 'README.md'), 'more\n');
    expect(hash()).toBe(before);
  });

  it('says what is wrong with it', () => {
    writeFileSync(join(folder, 'recipe.json'), JSON.stringify({ format: 2 }));
    expect(() => readRecipe(folder)).toThrow(/recipe\.json is malformed: .*format/s);
    rmSync(join(folder, 'recipe.json'));
    expect(() => readRecipe(folder)).toThrow('There is no recipe');
  });
});
