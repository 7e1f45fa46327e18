import type { RegistrySettings } from './registry/registry-settings.ts';

/** What an engine knows about itself and its host, found out once at boot. */
export interface EngineFacts {
  /** Kept in the database: the same for as long as the data root lives. */
  readonly engineId: string;
  readonly dataRoot: string;
  readonly runtimeVersion: string;
  /** PRETTY_NAME of os-release. */
  readonly operatingSystem: string;
  readonly cgroupVersion: 1 | 2;
  readonly hasSeccomp: boolean;
  readonly labels: readonly string[];
  readonly isDebugging: boolean;
  /** As they are now: they can be told anew while the engine runs. */
  readonly registries: () => RegistrySettings;
}
