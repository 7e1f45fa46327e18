import type { LogDriver } from '../logs/log-plan.ts';
import type { RegistrySettings } from '../registry/registry-settings.ts';

/** What an engine is told when it starts. Made by `read-settings.ts` from flags and the configuration file; nobody else reads either. */
export interface Settings {
  /** Unix sockets to listen on, absolute paths. */
  readonly sockets: readonly string[];
  /** What survives a reboot: database, layers, containers. Absolute. */
  readonly dataRoot: string;
  /** What lives as long as the kernel: sockets, namespaces, OCI bundles. Absolute. */
  readonly execRoot: string;
  readonly pidFile: string;
  /** Name of the default bridge; null derives one from the data root, so that two engines never share it. */
  readonly bridgeName: string | null;
  /** Address of the default bridge with its prefix (`172.18.0.1/16`); null takes the first free of the default pools. */
  readonly bridgeAddress: string | null;
  readonly logDriver: LogDriver;
  readonly logOptions: Readonly<Record<string, string>>;
  /** The program of `--init`; null looks for one. */
  readonly initPath: string | null;
  /** Containers that do not say otherwise get it. */
  readonly isInitDefault: boolean;
  readonly labels: readonly string[];
  readonly verbosity: 'debug' | 'info' | 'warn' | 'error';
  /** Group that may use the sockets (name or number); null leaves them to root alone. */
  readonly socketGroup: string | null;
  readonly registries: RegistrySettings;
}
