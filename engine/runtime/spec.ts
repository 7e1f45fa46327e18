import type { ContainerSettings, HostFacts } from './container-settings.ts';
import type { RuntimeSpec } from './oci.ts';

export type BuildSpec = (settings: ContainerSettings, host: HostFacts) => RuntimeSpec;
