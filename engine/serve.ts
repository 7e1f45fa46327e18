/** Wires the rooms of an engine together, in the order in which they need each other, and unwires them in the other. */
import { randomUUID } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { faultPoints } from './config/faults.ts';
import { keptBridgeAddress, namesOf } from './config/names.ts';
import type { Settings } from './config/settings.ts';
import { startAtBoot } from './containers/restarts/boot-starts.ts';
import type { Container } from './containers/container.ts';
import { Directory } from './containers/directory.ts';
import { assertLogOptions } from './containers/logs/log-file.ts';
import { HealthChecks } from './containers/health/health-checks.ts';
import { MemoryWatches } from './containers/memory/memory-watches.ts';
import type { Parts } from './containers/parts.ts';
import { type Recovery, recoverContainers } from './containers/life/recover.ts';
import { removeContainer } from './containers/life/remove.ts';
import { RestartTimers } from './containers/restarts/restart-timers.ts';
import { ContainerRows } from './containers/rows.ts';
import { giveMemoryBack } from './diagnostics/give-memory-back.ts';
import { Laps } from './diagnostics/laps.ts';
import type { Log } from './diagnostics/log.ts';
import { QuietHours } from './diagnostics/quiet-hours.ts';
import { Events } from './events/events.ts';
import { Execs } from './exec/execs.ts';
import { recoverExecs } from './exec/recover-execs.ts';
import type { EngineFacts } from './facts.ts';
import { containerRoutes } from './http/containers/routes.ts';
import { execRoutes } from './http/exec/routes.ts';
import { imageRoutes } from './http/images/routes.ts';
import { type LateNeeds, lateRooms } from './http/late-rooms.ts';
import { notThereYetRoutes } from './http/not-there-yet.ts';
import { serveApi } from './http/server.ts';
import { swarmRoutes } from './http/swarm.ts';
import { reloadEvent } from './http/system/registry-info.ts';
import { systemRoutes } from './http/system/routes.ts';
import { ensureHelloImage } from './images/hello.ts';
import { ImageStore } from './images/image-store.ts';
import { openLayers } from './layers/open-layers.ts';
import { type ExecId, newNetworkId } from './model/ids.ts';
import { formatInstant, systemClock } from './model/time.ts';
import { openMonitor } from './monitor/open-monitor.ts';
import { monitorFromSources } from './monitor/start-monitor.ts';
import { openNameServer } from './networks/dns/open-name-server.ts';
import { openNetworks } from './networks/open-networks.ts';
import { StoredNetworks } from './networks/stored-networks.ts';
import { LateRegistries } from './registry/late-registries.ts';
import { OverlayRoots } from './rootfs/overlay-roots.ts';
import { CompiledFilters } from './runtime/compiled-filters.ts';
import { knownFlaws } from './runtime/crun-flaws.ts';
import { type CrunMemory, findCrun } from './runtime/crun.ts';
import { readHostFacts } from './runtime/host-facts.ts';
import { findInit } from './runtime/init-program.ts';
import { prepareCgroups, removeEngineCgroup } from './runtime/cgroups.ts';
import { openShares } from './shares/open-shares.ts';
import { recoverSnapshots } from './snapshots/recover-snapshots.ts';
import { Stats } from './stats/stats.ts';
import { type Database, openDatabase } from './store/database.ts';
import { DiskReserve } from './store/disk-reserve.ts';
import { lockDataRoot } from './store/lock.ts';
import { keptSetting, readSetting, writeSetting } from './store/settings-rows.ts';
import { TreeWorkers } from './trees/tree-workers.ts';
import { treesProgram } from './trees/trees-program.ts';
import { engineVersion } from './version.ts';
import { LocalVolumes } from './volumes/local-volumes.ts';

/** Those who waited for the start have what they came for by then, and the release has kept its compiled code. */
const quietAfterMs = 15_000;

/** Those who waited for the API have their first answers by then. */
const settlesAfterMs = 500;

/** Room for a few dozen states of containers. */
const reserved = { pieces: 8, pieceBytes: 256 * 1024 };

/** The rooms of one engine, open. Disposing closes them; containers, their networks and their monitor go on. */
interface OpenEngine extends AsyncDisposable {
  readonly parts: Parts;
  readonly facts: Omit<EngineFacts, 'registries'>;
  readonly layers: LateNeeds['layers'];
  readonly database: Database;
  readonly reach: LateNeeds['reach'];
  readonly toStart: Recovery['toStart'];
}

/** An engine that serves its API. */
interface ServingEngine extends AsyncDisposable {
  /** Takes over what can change without a start: all that the settings say about registries. */
  reload(settings: Settings): void;
}

/** Resolves when the API is served. Throws what keeps the engine from starting, with what to do about it. */
export async function startEngine(settings: Settings, log: Log): Promise<ServingEngine> {
  await using opening = new AsyncDisposableStack();
  const laps = new Laps(() => performance.now());
  laps.mark('loaded');
  const { parts, facts, layers, database, reach, toStart } = opening.use(await openEngine(settings, log, laps));
  const registries = opening.use(lateRegistries(settings, log));
  const owner = opening.use(new AsyncDisposableStack());
  const routes = [
    ...systemRoutes(parts, { ...facts, registries: () => registries.settings }),
    ...containerRoutes(parts),
    ...execRoutes(parts),
    ...imageRoutes(parts),
    ...lateRooms({ parts, layers, registries, database, reach, owner }),
    ...swarmRoutes,
    ...notThereYetRoutes,
  ];
  const quiet = opening.use(quietHours());
  opening.use(parts.events.subscribe(() => quiet.stir()));
  const onRequest = (): void => quiet.stir();
  opening.use(await serveApi({ routes, sockets: settings.sockets, group: settings.socketGroup, log, onRequest }));
  quiet.stir();
  opening.use(writePidFile(settings.pidFile));
  laps.mark('served');
  log.info('the engine is ready', { sockets: settings.sockets, dataRoot: settings.dataRoot, laps: String(laps) });
  channel('skiffd.ready').publish(null); // to the release's start program, should there be one
  // Nor is the firewall needed before a container has a network; the first one writes it, should it come before that.
  const settling = setTimeout(() => settleNetworks(parts), settlesAfterMs);
  opening.defer(() => clearTimeout(settling));
  // Not at once: a process more would make those wait who ask whether the engine is there. Who needs it earlier starts it.
  const preparing = setTimeout(() => parts.monitor.prepare(), 1_500);
  opening.defer(() => clearTimeout(preparing));
  void startAtBoot(parts, toStart);
  const opened = opening.move();
  return {
    reload({ registries: told }) {
      registries.configure(told);
      parts.events.publish(reloadEvent(facts.engineId, told));
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** What is wrong with the firewall is told here to whoever reads the log, and to each who starts a container. */
function settleNetworks({ networks, log }: Parts): void {
  try {
    networks.settle();
  } catch (error) {
    log.error('the firewall could not be written', { error });
  }
}

function lateRegistries({ registries: settings }: Settings, log: Log): LateRegistries {
  const userAgent = `skiff/${engineVersion} (linux)`;
  return new LateRegistries({ settings, userAgent, report: (message, facts) => log.warn(message, facts) });
}

function quietHours(): QuietHours {
  return new QuietHours({
    quietMs: quietAfterMs,
    giveBack: giveMemoryBack,
    memory: () => process.memoryUsage.rss(),
    clock: () => performance.now(),
  });
}

/** Ends every container and removes everything that this engine made on the host, but for the files below its data root. */
export async function removeAll(settings: Settings, log: Log): Promise<void> {
  await using engine = await openEngine(settings, log);
  const { directory, networks } = engine.parts;
  await Promise.all(directory.all().map((container) => removeAnyhow(engine.parts, container)));
  await engine.parts.names.end();
  await engine.parts.shares.end();
  await networks.removeAll();
  await removeEngineCgroup(`/skiff-${engine.parts.engineName}`);
}

/** With `--rm`, or after a crash, it may be going already. */
async function removeAnyhow(parts: Parts, container: Container): Promise<void> {
  if (container.state.status === 'removing') await container.wait('removed', AbortSignal.timeout(60_000));
  if (parts.directory.byId(container.id) !== undefined)
    await removeContainer(parts, container, { isForced: true, removesVolumes: false });
}

async function openEngine(settings: Settings, log: Log, laps = new Laps(() => performance.now())): Promise<OpenEngine> {
  await using opening = new AsyncDisposableStack();
  const { dataRoot, execRoot } = settings;
  assertLogOptions({ driver: settings.logDriver, options: settings.logOptions });
  prepareCgroups();
  opening.use(lockDataRoot(dataRoot));
  const database = opening.use(openDatabase(dataRoot));
  laps.mark('database');
  const crun = await findCrun(undefined, crunMemory(database));
  laps.mark('crun');
  for (const flaw of knownFlaws(crun.version))
    log.warn('this version of crun has a known hole', { crun: crun.version, flaw });
  mkdirSync(execRoot, { recursive: true, mode: 0o711 });
  const bundleFolder = path.join(execRoot, 'containers');
  mkdirSync(bundleFolder, { recursive: true, mode: 0o700 });

  const now = systemClock();
  const events = new Events(now);
  const host = readHostFacts();
  const { engineId, bridgeName, engineName } = namesOf(keptSetting(database, 'engine-id', randomUUID), settings);
  const reserve = opening.use(new DiskReserve({ folder: path.join(dataRoot, 'reserve'), ...reserved }));
  reserve.keep();
  const reach = faultPoints(process.env, () => process.kill(process.pid, 'SIGKILL'));
  const { layers, content } = opening.use(openLayers({ database, dataRoot, log, reserve, reach }));
  const images = new ImageStore({ database, dataRoot, layers, content, now, log, reach, reserve });
  const trees = opening.use(new TreeWorkers({ program: treesProgram, most: 8 }));
  const measure = (folders: readonly string[]): Promise<readonly number[]> => trees.measure(folders);
  const roots = new OverlayRoots({ database, dataRoot, layers, measure, reserve });
  const volumes = new LocalVolumes({
    database,
    dataRoot,
    log,
    now,
    sizeOf: measure,
    mountDevice: (device) => trees.mountDevice(device),
    reach,
    reserve,
    onChange: (action, { name, driver }) =>
      events.publish({ type: 'volume', action, actorId: name, attributes: { driver } }),
  });
  laps.mark('storage');
  const networks = opening.use(await openBridge({ database, settings, bridgeName, engineId }));
  laps.mark('networks');
  const monitor = opening.use(
    await openMonitor({
      folder: path.join(execRoot, 'm'),
      exitFolder: path.join(dataRoot, 'exits'),
      program: monitorFromSources(),
      report: (message) => log.warn(message),
    }),
  );
  laps.mark('monitor');
  const directory = new Directory();
  const onForgotten = (id: ExecId): void => {
    monitor.forgetExec(id).catch((error: unknown) => log.warn('an exec could not be forgotten', { exec: id, error }));
  };
  const execs = new Execs({ directory, now, onForgotten });
  const parts: Parts = {
    rows: new ContainerRows(database, reach, reserve),
    directory,
    execs,
    stats: opening.use(new Stats({ engineName, now })),
    restarts: opening.use(new RestartTimers()),
    health: opening.use(new HealthChecks()),
    memory: opening.use(new MemoryWatches()),
    images,
    content,
    layers,
    roots,
    trees,
    volumes,
    networks,
    names: opening.use(openNameServer({ folder: path.join(execRoot, 'dns'), report: (message) => log.warn(message) })),
    shares: opening.use(
      openShares({
        folder: path.join(execRoot, 'shares'),
        ownersFile: path.join(dataRoot, 'shared-owners.db'),
        kept: {
          read: () => readSetting(database, 'shares'),
          write: (text) => writeSetting(database, 'shares', text),
        },
        report: (message) => log.warn(message),
      }),
    ),
    monitor,
    events,
    log,
    now,
    random: Math.random,
    host,
    filters: new CompiledFilters(path.join(dataRoot, 'filters'), crun.version),
    runtime: { program: crun.program, stateFolder: path.join(execRoot, 'crun') },
    init: { program: findInit(settings.initPath), isDefault: settings.isInitDefault },
    defaults: { logDriver: settings.logDriver, logOptions: settings.logOptions },
    engineName,
    dataRoot,
    bundleFolder,
  };
  const { toStart } = opening.use(await recoverContainers(parts));
  await recoverSnapshots(parts, database);
  opening.use(await recoverExecs(parts));
  laps.mark('recovered');
  await images.collectGarbage();
  await ensureHelloImage({ database, images, log, busybox: findBusybox() });
  laps.mark('images');
  const facts: OpenEngine['facts'] = {
    engineId,
    dataRoot,
    runtimeVersion: crun.version,
    operatingSystem: operatingSystem(),
    cgroupVersion: host.cgroupVersion,
    hasSeccomp: host.hasSeccomp,
    labels: settings.labels,
    isDebugging: settings.verbosity === 'debug',
  };
  const opened = opening.move();
  return { parts, facts, layers, database, reach, toStart, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The bridge keeps its address for as long as the data root lives, so that what people wrote down stays true. */
async function openBridge(parts: {
  readonly database: Database;
  readonly settings: Settings;
  readonly bridgeName: string;
  readonly engineId: string;
}): Promise<ReturnType<typeof openNetworks>> {
  const { database, settings, bridgeName, engineId } = parts;
  const networkId = keptSetting(database, 'default-network', newNetworkId) as ReturnType<typeof newNetworkId>;
  const bridgeAddress = keptBridgeAddress(database, settings);
  const clock = systemClock();
  const networks = openNetworks({
    execRoot: settings.execRoot,
    bridgeName,
    bridgeAddress,
    engineId,
    networkId,
    rows: new StoredNetworks(
      database,
      faultPoints(process.env, () => process.kill(process.pid, 'SIGKILL')),
    ),
    now: () => formatInstant(clock()),
    builtInSince: keptSetting(database, 'networks-since', () => formatInstant(clock())),
    isFirewallLate: true,
  });
  try {
    const { address } = await networks.prepare();
    writeSetting(database, 'bridge-address', address);
    return networks;
  } catch (error) {
    await networks[Symbol.asyncDispose]();
    throw error;
  }
}

function writePidFile(file: string): Disposable {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, String(process.pid), { mode: 0o644 });
  renameSync(`${file}.new`, file);
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
}

/** Kept between starts: the version of the program that lay there the last time. */
function crunMemory(database: Database): CrunMemory {
  const key = 'crun';
  return {
    recall(file) {
      const [keptFile, version] = (readSetting(database, key) ?? '').split('\n');
      return keptFile === file && version !== undefined ? version : null;
    },
    keep(file, version) {
      const row = `${file}\n${version}`;
      if (readSetting(database, key) !== row) writeSetting(database, key, row);
    },
  };
}

/** The machine has it at the first place, Debian's busybox-static at the same; others put it at the second. */
function findBusybox(): string {
  return ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file)) ?? '/bin/busybox';
}

function operatingSystem(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux';
  } catch {
    return 'Linux'; // os-release is a courtesy, not a duty
  }
}
