import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freeze, isFrozen, thaw } from './freezer.ts';

/** Files as a kernel has them, that do not move by themselves. What v1 really does is proven by the semantics of pause. */
let root: string;
const cgroup = '/skiff-test/one';
beforeEach(() => void (root = mkdtempSync(path.join(os.tmpdir(), 'skiff-freezer-'))));
afterEach(() => rmSync(root, { recursive: true }));

const file = (name: string): string => path.join(root, name);
const write = (name: string, text: string): void => {
  mkdirSync(path.dirname(file(name)), { recursive: true });
  writeFileSync(file(name), text);
};

it('freezes with v2 when the kernel says that all is frozen', async () => {
  write('skiff-test/one/cgroup.freeze', '0');
  write('skiff-test/one/cgroup.events', 'populated 1\nfrozen 0\n');
  expect(isFrozen(cgroup, root)).toBe(false);
  const freezing = freeze(cgroup, root);
  expect(readFileSync(file('skiff-test/one/cgroup.freeze'), 'utf8')).toBe('1');
  write('skiff-test/one/cgroup.events', 'populated 1\nfrozen 1\n');
  await freezing;
  expect(isFrozen(cgroup, root)).toBe(true);
  thaw(cgroup, root);
  expect(readFileSync(file('skiff-test/one/cgroup.freeze'), 'utf8')).toBe('0');
});

it('freezes with v1 through the freezer’s own hierarchy', async () => {
  write('freezer/skiff-test/one/freezer.state', 'THAWED\n');
  await freeze(cgroup, root);
  expect(readFileSync(file('freezer/skiff-test/one/freezer.state'), 'utf8')).toBe('FROZEN');
  thaw(cgroup, root);
  expect(isFrozen(cgroup, root)).toBe(false);
});

it('what is gone is not frozen, and thawing it is no mistake', () => {
  expect(isFrozen(cgroup, root)).toBe(false);
  expect(() => thaw(cgroup, root)).not.toThrow();
});
