import { verbOnEach } from './lifecycle.ts';

/** Verbs beyond docker-machine's start and stop, and those that bring an engine into a machine. */

export const pause = verbOnEach({
  summary: 'Pause a machine: its processors stand still, its memory stays',
  work: (machines, name, operation) => machines.pause(name, operation),
  done: 'paused',
});

export const resume = verbOnEach({
  summary: 'Let a paused or suspended machine go on where it was',
  work: async (machines, name, operation) => {
    const { state } = await machines.inspect(name);
    return state === 'suspended' ? machines.start(name, operation) : machines.resume(name, operation);
  },
  done: 'resumed',
});

export const suspend = verbOnEach({
  summary: 'Suspend a machine to disk; its containers go on when it is resumed',
  work: (machines, name, operation) => machines.suspend(name, operation),
  done: 'suspended',
});

export const upgrade = verbOnEach({
  summary: 'Upgrade the engine of a machine to the one of this Skiff; containers go on',
  work: (machines, name, operation) => machines.upgrade(name, operation),
  done: 'upgraded',
});

export const provision = verbOnEach({
  summary: 'Bring the engine into a machine again, and make a host that is not ours fit again',
  work: (machines, name, operation) => machines.upgrade(name, operation, { isThorough: true }),
  done: 'provisioned',
});
