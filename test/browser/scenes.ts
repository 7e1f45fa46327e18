import type { ContainerKey } from '../../desktop/contract/containers.ts';
import { containerRow, dailyContainers, machineRow } from './fixture-rows.ts';
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
