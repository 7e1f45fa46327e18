import { expect, it } from 'vitest';
import type { DiskUsage } from '../../api/system.ts';
import { usageRows, verboseUsageLines } from './disk-usage.ts';

const image = { Id: `sha256:${'a'.repeat(64)}`, ParentId: '', RepoTags: ['hello:latest'], RepoDigests: null, Created: 1, Size: 2_000_000, SharedSize: 0, Labels: null, Containers: 0 }; // prettier-ignore
const volume = { Name: 'data', Driver: 'local', Mountpoint: '/x', Scope: 'local', Labels: null, Options: null };

const usage: DiskUsage = {
  LayersSize: 3_000_000,
  Images: [image, { ...image, RepoTags: null, Size: 1_000_000, Containers: 2 }],
  Containers: [],
  Volumes: [
    { ...volume, UsageData: { Size: 1500, RefCount: 0 } },
    { ...volume, UsageData: { Size: 500, RefCount: 1 } },
    { ...volume, UsageData: { Size: -1, RefCount: 1 } },
  ],
  BuildCache: null,
};

it('sums up what is used, and what could be free', () => {
  expect(usageRows(usage)).toEqual([
    { Type: 'Images', TotalCount: '2', Active: '1', Size: '3MB', Reclaimable: '2MB (66%)' },
    { Type: 'Containers', TotalCount: '0', Active: '0', Size: '0B', Reclaimable: '0B' },
    { Type: 'Local Volumes', TotalCount: '3', Active: '2', Size: '2kB', Reclaimable: '1.5kB (75%)' },
    { Type: 'Build Cache', TotalCount: '0', Active: '0', Size: '0B', Reclaimable: '0B' },
  ]);
});

it('lists every image, also those without a name', () => {
  const lines = verboseUsageLines(usage, 10_000);
  expect(lines.slice(0, 5)).toEqual([
    'Images space usage:',
    '',
    'REPOSITORY   TAG       IMAGE ID       CREATED         SIZE      SHARED SIZE   UNIQUE SIZE   CONTAINERS',
    'hello        latest    aaaaaaaaaaaa   9 seconds ago   2MB       0B            2MB           0',
    '<none>       <none>    aaaaaaaaaaaa   9 seconds ago   1MB       0B            1MB           2',
  ]);
});
