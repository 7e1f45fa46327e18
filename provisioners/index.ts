/** The door of this room: machines for the CLI, the desktop and the start script. */
export { openMachines } from './machines/open-machines.ts';
export type { OpenMachines } from './machines/open-machines.ts';
export type { AgentProgram } from './machines/agent-process.ts';
export type { EngineSource } from './machines/engine-source.ts';
export { MachineError } from './machines.ts';
export type {
  CreateMachine,
  DriverInfo,
  HostAgentState,
  Machine,
  MachineErrorCode,
  Machines,
  MachineSettings,
  MachineState,
  PortForward,
  RemoteCommand,
} from './machines.ts';
export { runStep } from './progress.ts';
export type { Operation, Report, StepReport } from './progress.ts';
export { buildEngineRelease } from './deploy/build-release.ts';
export type { BuildRelease } from './deploy/build-release.ts';
