import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newContainerId } from '../model/ids.ts';
import { removeEnded } from './ended-container.ts';

/** Folders in the place of cgroups: empty ones are removed as those are. */
const id = newContainerId();
const cgroup = `/skiff-test/${id}`;
let root: string;
let stateFolder: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'skiff-ended-'));
  stateFolder = path.join(root, 'state');
  for (const hierarchy of ['memory', 'pids'])
    mkdirSync(path.join(root, 'cgroup', hierarchy, cgroup), { recursive: true });
  mkdirSync(path.join(stateFolder, id), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const inCgroup = (...names: readonly string[]): string => path.join(root, 'cgroup', ...names);
const remove = (): boolean => removeEnded({ stateFolder, id }, inCgroup());
function status(fields: Readonly<Record<string, unknown>> = {}): void {
  const text = JSON.stringify({ 'cgroup-path': cgroup, 'systemd-cgroup': false, ...fields });
  writeFileSync(path.join(stateFolder, id, 'status'), text);
}

it('takes the cgroups and the state away, and nothing above them', () => {
  status();
  expect(remove()).toBe(true);
  expect(readdirSync(stateFolder)).toEqual([]);
  expect(['memory', 'pids'].map((name) => readdirSync(inCgroup(name, 'skiff-test')))).toEqual([[], []]);
});

it.each<[what: string, make: () => void]>([
  ['a process is in the cgroup', () => writeFileSync(inCgroup('pids', cgroup, 'cgroup.procs'), '12\n')],
  ['a cgroup is below it', () => mkdirSync(inCgroup('pids', cgroup, 'inner'))],
  ['systemd has it', () => status({ 'systemd-cgroup': true })],
  ['the cgroup is not one of this container', () => status({ 'cgroup-path': '/skiff-test' })],
  ['the path leads elsewhere', () => status({ 'cgroup-path': `/../${id}` })],
  ['there is no state', () => rmSync(path.join(stateFolder, id), { recursive: true })],
])('leaves it to crun when %s', (_, make) => {
  status();
  make();
  expect(remove()).toBe(false);
  expect(existsSync(inCgroup('memory', cgroup)) && existsSync(inCgroup('pids', cgroup))).toBe(true);
});
