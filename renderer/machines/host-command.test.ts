import { expect, test } from 'vitest';
import { hostCommand } from './host-command.ts';

test.each([
  ['linux', 'unix:///run/skiff/docker.sock', 'export DOCKER_HOST=unix:///run/skiff/docker.sock'],
  [
    'darwin',
    'unix:///Users/m/Library/Application Support/d.sock',
    `export DOCKER_HOST='unix:///Users/m/Library/Application Support/d.sock'`,
  ],
  ['win32', 'npipe:////./pipe/skiff-default', `$Env:DOCKER_HOST = 'npipe:////./pipe/skiff-default'`],
] as const)('on %s the host %s is set as its shell wants it', (platform, host, command) => {
  expect(hostCommand({ host, platform })).toBe(command);
});
