import { expect, it } from 'vitest';
import { imageBuildPackages } from '../provisioners/machine-image/host-packages.ts';
import { debianPackages } from './debian-packages.mjs';

it.skipIf(!['x64', 'arm64'].includes(process.arch))('npm start installs what the machine image is built with', () => {
  expect(debianPackages('start')).toEqual(expect.arrayContaining([...imageBuildPackages()]));
});

it('knows every task, and no other', () => {
  for (const task of ['start', 'engine', 'test', 'bench'] as const)
    expect(debianPackages(task).length).toBeGreaterThan(3);
  expect(() => debianPackages('brew' as 'start')).toThrow('no such task: brew');
});
