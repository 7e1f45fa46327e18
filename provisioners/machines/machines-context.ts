import type { WantedNode } from '../deploy/deploy-engine.ts';
import type { EngineRelease } from '../deploy/engine-release.ts';
import type { MachineLayout } from '../deploy/machine-layout.ts';
import type { Driver } from '../drivers/driver.ts';
import type { MachineImage } from '../machine-image/machine-image.ts';
import type { Leftover, MachineSettings } from '../machines.ts';
import type { Operation } from '../progress.ts';
import type { KeptSecrets } from '../secrets/kept-secrets.ts';
import type { MachinePaths } from '../store/home.ts';
import type { MachineStore } from '../store/machine-store.ts';
import type { AgentProgram } from './agent-process.ts';
import type { DockerContexts } from './docker-context.ts';

/** All that the operations on machines share. */
export interface MachinesContext {
  readonly home: string;
  readonly store: MachineStore;
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly contexts: DockerContexts;
  readonly agent: AgentProgram;
  readonly layout: MachineLayout;
  readonly openImage: (operation: Operation) => Promise<MachineImage>;
  /** What the cache keeps that nothing needs any more. */
  readonly cached: () => Promise<readonly Leftover[]>;
  readonly openRelease: () => Promise<EngineRelease>;
  /** A driver's secret settings that the environment gives, else those that were kept for the machine. */
  readonly secretsOf: (driver: Driver, paths: MachinePaths) => Promise<MachineSettings>;
  readonly keptSecrets: KeptSecrets;
  readonly openRuntime: () => Promise<WantedNode>;
}
