/** The door of this room: machines for the CLI, the desktop and the start script. */
export { openMachines } from './machines/open-machines.ts';
export type { OpenMachines } from './machines/open-machines.ts';
export type { EngineSource } from './machines/engine-source.ts';
export { MachineError } from './machines.ts';
export type { Machine, Machines } from './machines.ts';
export type { Operation, StepReport } from './progress.ts';
export { buildEngineRelease } from './deploy/build-release.ts';
