import type { ContainerKey } from '../../desktop/contract/containers.ts';
import { containerRow, dailyContainers, dailyImages, fileRow, layerRow, machineRow } from './fixture-rows.ts';
import type { FixtureWorld } from './fixture-world.ts';

/** Worlds that several suites and the pictures start from. */

/** A machine that works, and nothing in it. */
export function emptyMachine(world: FixtureWorld): void {
  world.machines.set(machineRow());
  world.engineReady();
}

/** A working day: containers in all states, with ports. */
export function workingDay(world: FixtureWorld): void {
  emptyMachine(world);
  for (const container of dailyContainers()) {
    world.containers.set(container);
    for (const { published, localAddress, forwardError, containerPort, protocol } of container.ports) {
      if (published === null) continue;
      world.forwards.set({
        id: `${container.id}/${published.port}`,
        machine: container.machine,
        containerId: container.id,
        containerName: container.name,
        containerPort,
        protocol,
        localAddress: localAddress ?? `localhost:${published.port}`,
        state: forwardError === null ? 'open' : 'failed',
        error: forwardError,
      });
    }
  }
}

/** A working day's images, of which the containers are made; the one called `shop/api` can be looked into. */
export function imageDay(world: FixtureWorld): void {
  workingDay(world);
  const images = dailyImages();
  for (const image of images) world.images.set(image);
  for (const container of world.containers.values()) {
    const image = images.find(({ names }) => names.includes(container.image));
    if (image !== undefined) world.containers.set({ ...container, imageId: image.id });
  }
  world.layers = [
    layerRow(0, 78, '/bin/sh -c #(nop) ADD file:1f0c… in / '),
    layerRow(
      1,
      61,
      'RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends nodejs ca-certificates # buildkit',
      {
        wastedBytes: 19_000_000,
      },
    ),
    layerRow(2, 58, 'COPY node_modules /app/node_modules # buildkit'),
    layerRow(3, 2, 'COPY . /app # buildkit'),
    layerRow(4, 15, 'RUN /bin/sh -c npm run build && rm -rf /var/lib/apt/lists/* # buildkit'),
  ];
  const folder = { kind: 'directory' } as const;
  world.files = ({ path }) =>
    path === ''
      ? [
          fileRow('app', { ...folder, totalBytes: 75_000_000, totalFiles: 8_211, hasChangesBelow: true, layer: 4 }),
          fileRow('bin', { kind: 'symlink', linkTarget: 'usr/bin', mode: 0o777, totalBytes: 0 }),
          fileRow('etc', { ...folder, totalBytes: 1_200_000, totalFiles: 412 }),
          fileRow('usr', { ...folder, totalBytes: 118_000_000, totalFiles: 4_810 }),
          fileRow('var', { ...folder, totalBytes: 6_300_000, totalFiles: 288, hasChangesBelow: true }),
        ]
      : path === 'app'
        ? [
            fileRow('dist', { ...folder, path: 'app/dist', totalBytes: 15_000_000, change: 'added', layer: 4 }),
            fileRow('node_modules', { ...folder, path: 'app/node_modules', totalBytes: 58_000_000, layer: 2 }),
            fileRow('package.json', { path: 'app/package.json', totalBytes: 1_811, change: 'changed', layer: 4 }),
            fileRow('.npmrc', { path: 'app/.npmrc', totalBytes: 118, mode: 0o600, change: 'removed', layer: 4 }),
          ]
        : [];
}

/** What a machine writes to its console while it boots. */
export function bootLines(world: FixtureWorld): void {
  const feed = world.console('default');
  for (let line = 0; line < 60; line += 1)
    feed.write(
      `[    ${(line * 0.0371).toFixed(6)}] virtio_blk virtio${line % 4}: ${line + 1}/0/0 default/read/poll queues\n`,
    );
  feed.write(
    '[    2.481120] EXT4-fs (vdb): mounted filesystem with ordered data mode\n',
    'skiff: network is up\n',
    'skiff: ssh is listening on port 22\n',
  );
}

/** What a look at the machines finds, and the snapshots of the one called `build-box`. */
export function examined(world: FixtureWorld): void {
  world.machineFacts.findings = [
    { about: 'Driver qemu', machine: null, verdict: 'good', says: 'can be used' },
    { about: 'Driver virtualbox', machine: null, verdict: 'note', says: 'VBoxManage is not there' },
    { about: 'Disk', machine: null, verdict: 'good', says: '212.4 GiB free' },
    { about: 'Machine default', machine: 'default', verdict: 'bad', says: 'Port 6379 is in use on this computer.' },
    { about: 'Machine build-box', machine: 'build-box', verdict: 'note', says: 'is stopped' },
  ];
  const createdAt = new Date(Date.now() - 49 * 3_600_000).toISOString();
  world.machineFacts.snapshots.set('build-box', [{ name: 'before-upgrade', createdAt, sizeBytes: 3_200_000_000 }]);
}

export function manyContainers(world: FixtureWorld, count: number): void {
  emptyMachine(world);
  for (let box = 0; box < count; box += 1) {
    world.containers.set(
      containerRow({
        name: `worker-${box}`,
        state: box % 5 === 0 ? 'exited' : 'running',
        createdAt: Date.now() - box * 1_000,
      }),
    );
  }
}

export function named(world: FixtureWorld, name: string): ContainerKey {
  const container = world.containers.values().find((one) => one.name === name);
  if (container === undefined) throw new Error(`there is no container ${name}`);
  return { machine: container.machine, id: container.id };
}
