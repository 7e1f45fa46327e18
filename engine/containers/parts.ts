import type { Content } from '../content/content.ts';
import type { Log } from '../diagnostics/log.ts';
import type { Events } from '../events/events.ts';
import type { Execs } from '../exec/execs.ts';
import type { Images } from '../images/images.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import type { Instant } from '../model/time.ts';
import type { Monitor, RuntimeProgram } from '../monitor/monitor.ts';
import type { NameServer } from '../networks/dns/name-server.ts';
import type { Networks } from '../networks/networks.ts';
import type { Roots } from '../rootfs/rootfs.ts';
import type { CompiledFilters } from '../runtime/compiled-filters.ts';
import type { HostFacts } from '../runtime/container-settings.ts';
import type { Shares } from '../shares/shares.ts';
import type { Trees } from '../trees/trees.ts';
import type { Volumes } from '../volumes/volumes.ts';
import type { Directory } from './directory.ts';
import type { HealthChecks } from './health/health-checks.ts';
import type { MemoryWatches } from './memory/memory-watches.ts';
import type { EngineDefaults } from './spec/merge-image.ts';
import type { Stats } from '../stats/stats.ts';
import type { RestartTimers } from './restarts/restart-timers.ts';
import type { ContainerRows } from './rows.ts';

/** The rooms that a container's life passes through; wired together once, in `engine/serve.ts`. */
export interface Parts {
  readonly rows: ContainerRows;
  readonly directory: Directory;
  readonly execs: Execs;
  readonly stats: Stats;
  readonly restarts: RestartTimers;
  readonly health: HealthChecks;
  readonly memory: MemoryWatches;
  readonly images: Images;
  readonly content: Content;
  readonly layers: LayerStore;
  readonly roots: Roots;
  readonly trees: Trees;
  readonly volumes: Volumes;
  readonly networks: Networks;
  readonly names: NameServer;
  readonly shares: Shares;
  readonly monitor: Monitor;
  readonly events: Events;
  readonly log: Log;
  readonly now: () => Instant;
  readonly random: () => number;
  readonly host: HostFacts;
  readonly filters: CompiledFilters;
  readonly runtime: RuntimeProgram;
  /** The program of `--init`, null when this computer has none; `isDefault`: also for containers that do not ask for it. */
  readonly init: { readonly program: string | null; readonly isDefault: boolean };
  readonly defaults: EngineDefaults;
  /** Names this engine's cgroups: `/skiff-<engine>/<container>`. */
  readonly engineName: string;
  readonly dataRoot: string;
  /** `<exec root>/containers`: OCI bundles. */
  readonly bundleFolder: string;
}
