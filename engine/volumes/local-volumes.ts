import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { Log } from '../diagnostics/log.ts';
import { isCode } from '../kernel/files.ts';
import { type DeviceMount, unmount } from '../kernel/mount.ts';
import { readMounts } from '../kernel/mount-table.ts';
import { hasProjectQuota, limitFolder, projectOf } from '../kernel/project-quota.ts';
import { removeTree } from '../kernel/remove-tree.ts';
import { conflict, internal, invalid, notFound } from '../model/errors.ts';
import { type Filters, passes, passesLabels } from '../model/filters.ts';
import type { ContainerId } from '../model/ids.ts';
import { SerialQueues } from '../model/serial-queues.ts';
import { formatInstant, type Instant } from '../model/time.ts';
import type { Database } from '../store/database.ts';
import type { DiskReserve } from '../store/disk-reserve.ts';
import { readSetting, writeSetting } from '../store/settings-rows.ts';
import { assertVolumeOptions, deviceMount, hasDevice, quotaBytes } from './device-options.ts';
import { readDangling } from './filters.ts';
import { assertVolumeName, madeUpVolumeName } from './volume-name.ts';
import { type VolumeRow, VolumeRows } from './volume-rows.ts';
import { anonymousLabel, type Pruned, type Volume, type VolumeRequest, type Volumes } from './volumes.ts';

/** Removed volumes are renamed to this first; no volume's name begins with a dot. */
const trash = '.removing-';

/** Volumes as folders below the data root (see `volumes.ts` for what each method promises). */
export class LocalVolumes implements Volumes {
  readonly #database: Database;
  readonly #rows: VolumeRows;
  readonly #root: string;
  readonly #log: Log;
  readonly #now: () => Instant;
  readonly #onChange: (action: 'create' | 'destroy', volume: Volume) => void;
  readonly #sizeOf: (folders: readonly string[]) => Promise<readonly number[]>;
  readonly #mountDevice: (device: DeviceMount) => Promise<void>;
  readonly #reach: (point: string) => void;
  /** One change of a volume at a time. */
  readonly #queues = new SerialQueues();
  /** Who holds which volume. */
  readonly #holders = new Map<string, Set<string>>();
  #isPruning = false;

  constructor(parts: {
    readonly database: Database;
    readonly dataRoot: string;
    readonly log: Log;
    readonly now: () => Instant;
    readonly onChange: (action: 'create' | 'destroy', volume: Volume) => void;
    /** Bytes below each folder. */
    readonly sizeOf: (folders: readonly string[]) => Promise<readonly number[]>;
    /** Outside this process: a server of the network may let us wait. */
    readonly mountDevice: (device: DeviceMount) => Promise<void>;
    /** Told each point where something is half done, and where a test may end the engine. */
    readonly reach?: (point: string) => void;
    /** For what removes volumes, on a full disk. */
    readonly reserve?: Pick<DiskReserve, 'around'>;
  }) {
    this.#reach = parts.reach ?? (() => undefined);
    this.#database = parts.database;
    this.#rows = new VolumeRows(parts.database, parts.reserve ?? { around: (work) => work() });
    this.#root = path.join(parts.dataRoot, 'volumes');
    this.#log = parts.log;
    this.#now = parts.now;
    this.#onChange = parts.onChange;
    this.#sizeOf = parts.sizeOf;
    this.#mountDevice = parts.mountDevice;
    mkdirSync(this.#root, { recursive: true, mode: 0o701 });
  }

  list(filters: Filters = new Map()): readonly Volume[] {
    const dangling = readDangling(filters);
    return this.#rows
      .all()
      .filter(({ state }) => state === 'ready')
      .map((row) => this.#volumeOf(row))
      .filter(
        ({ name, driver, labels }) =>
          passes(filters, 'name', (wanted) => nameMatches(name, wanted)) &&
          passes(filters, 'driver', (wanted) => driver === wanted) &&
          passesLabels(filters, labels) &&
          (dangling === null || dangling === (this.#rows.usersOf(name).length === 0)),
      );
  }

  find(name: string): Volume {
    const row = this.#rows.find(name);
    if (row === null || row.state === 'removing') throw notFound(`get ${name}: no such volume`);
    return this.#volumeOf(row);
  }

  async create(request: VolumeRequest, user?: ContainerId): Promise<Volume> {
    const isAnonymous = request.name === '';
    const name = isAnonymous ? madeUpVolumeName() : request.name;
    assertVolumeName(name);
    if (!['', 'local'].includes(request.driver)) {
      throw notFound(
        `create ${name}: error looking up volume plugin ${request.driver}: plugin "${request.driver}" not found`,
      );
    }
    return await this.#queues.run(name, () => {
      const volume = this.#ensure(name, request);
      if (user !== undefined) this.#rows.use(name, user);
      return volume;
    });
  }

  /** To be run in the volume's queue. */
  #ensure(name: string, request: VolumeRequest): Volume {
    const existing = this.#rows.find(name);
    if (existing?.state === 'ready') return this.#volumeOf(existing);
    if (existing !== null) this.#finishRemoval(name);
    assertVolumeOptions(name, request.options);
    if (quotaBytes(name, request.options) > 0 && !hasProjectQuota(this.#root))
      throw invalid(`create ${name}: quota size requested but no quota support`);
    const labels = request.name === '' ? { ...request.labels, [anonymousLabel]: '' } : request.labels;
    const row = { name, createdAt: this.#createdAt(), labels, options: request.options, state: 'ready' } as const;
    // The row first: a folder that is missing is made at boot, one without a row nobody would know of.
    this.#rows.insert(row);
    this.#reach('volume:written');
    try {
      this.#makeFolder(row);
    } catch (error) {
      this.#rows.delete(name);
      throw error;
    }
    const volume = this.#volumeOf(row);
    this.#onChange('create', volume);
    return volume;
  }

  async remove(name: string): Promise<void> {
    const left = await this.#queues.run(name, () => {
      const volume = this.find(name);
      if (!this.#rows.beginRemoval(name)) {
        throw conflict(`remove ${name}: volume is in use - [${this.#rows.usersOf(name).join(', ')}]`);
      }
      this.#reach('volume:removing');
      this.#unmount(name);
      const aside = this.#finishRemoval(name);
      this.#onChange('destroy', volume);
      return aside;
    });
    // The name is free already; a large volume takes its time.
    if (left !== null) await this.#discard(left);
  }

  async prune(options: { readonly filters: Filters; readonly isAll: boolean }): Promise<Pruned> {
    if (this.#isPruning) throw conflict('a prune operation is already running');
    this.#isPruning = true;
    try {
      const found = this.list().filter((volume) => this.#isPrunable(volume, options));
      const sizes = await this.#sizeOf(found.map(({ folder }) => folder));
      const names: string[] = [];
      let reclaimedBytes = 0;
      for (const [index, { name }] of found.entries()) {
        try {
          await this.remove(name);
        } catch (error) {
          // Somebody began to use it, or removed it, since we looked.
          this.#log.debug('a volume was not pruned', { volume: name, error });
          continue;
        }
        names.push(name);
        reclaimedBytes += sizes[index] ?? 0;
      }
      return { names, reclaimedBytes };
    } finally {
      this.#isPruning = false;
    }
  }

  folderOf(name: string): string {
    return path.join(this.#root, name, '_data');
  }

  usersOf(name: string): readonly ContainerId[] {
    return this.#rows.usersOf(name);
  }

  use(name: string, container: ContainerId): void {
    this.find(name);
    this.#rows.use(name, container);
  }

  giveBack(container: ContainerId): void {
    this.#rows.giveBack(container);
  }

  async hold(name: string, holder: string): Promise<string> {
    return await this.#queues.run(name, async () => {
      const { folder, options } = this.find(name);
      const holders = this.#holders.get(name) ?? new Set();
      if (holders.size === 0) await this.#mount(folder, options);
      this.#holders.set(name, holders.add(holder));
      return folder;
    });
  }

  letGo(holder: string): readonly string[] {
    const names: string[] = [];
    for (const [name, holders] of this.#holders) {
      if (!holders.delete(holder)) continue;
      names.push(name);
      if (holders.size > 0) continue;
      this.#holders.delete(name);
      this.#unmount(name);
    }
    return names;
  }

  async restore(holders: ReadonlyMap<ContainerId, readonly string[]>): Promise<void> {
    for (const [container, names] of holders) {
      for (const name of names) this.#holders.set(name, (this.#holders.get(name) ?? new Set()).add(container));
    }
    const mounted = new Set(readMounts().map(({ target }) => target));
    for (const row of this.#rows.all()) {
      const { name } = row;
      if (mounted.has(this.folderOf(name)) && !this.#holders.has(name)) this.#unmount(name);
      if (row.state === 'removing') this.#finishRemoval(name);
      else if (!existsSync(this.folderOf(name)) || quotaBytes(name, row.options) > 0) this.#makeFolder(row);
    }
    for (const entry of readdirSync(this.#root)) {
      if (entry.startsWith(trash)) await this.#discard(entry);
      else if (this.#rows.find(entry) === null)
        // Never deleted: it may be somebody's data, whatever became of the row.
        this.#log.warn('a folder below volumes/ belongs to no volume', { folder: path.join(this.#root, entry) });
    }
  }

  #isPrunable(
    { name, labels, options }: Volume,
    asked: { readonly filters: Filters; readonly isAll: boolean },
  ): boolean {
    const isAnonymous = anonymousLabel in labels;
    return (
      this.#rows.usersOf(name).length === 0 &&
      Object.keys(options).length === 0 &&
      (asked.isAll || isAnonymous) &&
      passesLabels(asked.filters, labels) &&
      (asked.filters.get('label!') ?? []).every((label) => !passesLabels(new Map([['label', [label]]]), labels))
    );
  }

  #volumeOf({ name, createdAt, labels, options }: VolumeRow): Volume {
    return { name, driver: 'local', createdAt, labels, options, folder: this.folderOf(name) };
  }

  /** What is there already stays; a crash may have come before the limit. */
  #makeFolder({ name, options }: VolumeRow): void {
    mkdirSync(path.join(this.#root, name), { recursive: true, mode: 0o701 });
    mkdirSync(this.folderOf(name), { recursive: true, mode: 0o755 });
    const bytes = quotaBytes(name, options);
    if (bytes > 0 && !hasDevice(options)) limitOnce(this.#database, this.folderOf(name), bytes);
  }

  /** Whole seconds, as docker tells it. */
  #createdAt(): string {
    return formatInstant((this.#now() / 1_000_000_000n) * 1_000_000_000n);
  }

  /** Out of the way, then out of the books. Returns what is left to delete; null when the folder was gone. */
  #finishRemoval(name: string): string | null {
    const aside = `${trash}${randomBytes(8).toString('hex')}`;
    let isThere = true;
    try {
      renameSync(path.join(this.#root, name), path.join(this.#root, aside));
    } catch (error) {
      if (!isCode(error, 'ENOENT')) throw error;
      isThere = false;
    }
    this.#reach('volume:aside');
    this.#rows.delete(name);
    return isThere ? aside : null;
  }

  async #discard(entry: string): Promise<void> {
    const directory = openSync(this.#root, constants.O_DIRECTORY);
    try {
      await removeTree(directory, entry);
    } finally {
      closeSync(directory);
    }
  }

  async #mount(folder: string, options: Volume['options']): Promise<void> {
    if (!hasDevice(options)) return;
    try {
      const device = await deviceMount(options);
      if (device !== null) await this.#mountDevice({ ...device, target: folder });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw internal(`error while mounting volume '${folder}': failed to mount local volume: ${reason}`, {
        cause: error,
      });
    }
  }

  #unmount(name: string): void {
    const row = this.#rows.find(name);
    if (row === null || !hasDevice(row.options)) return;
    try {
      unmount(this.folderOf(name), { isDetached: true });
    } catch (error) {
      if (!isCode(error, 'EINVAL', 'ENOENT')) throw error; // nothing is mounted there
    }
  }
}

/** Numbers of projects that nobody else is likely to use: `SK` and what follows. */
const firstProject = 0x534b_0000;

/** A number is never used twice: what is left of a removed volume would count for the next one. */
function limitOnce(database: Database, folder: string, bytes: number): void {
  if (!hasProjectQuota(folder) || projectOf(folder) !== 0) return;
  const project = Number(readSetting(database, 'next-project') ?? firstProject);
  writeSetting(database, 'next-project', String(project + 1));
  limitFolder(folder, project, bytes);
}

/** A regular expression; what is none is taken as plain text. */
function nameMatches(name: string, wanted: string): boolean {
  try {
    return new RegExp(wanted).test(name);
  } catch {
    return name.includes(wanted); // not a regular expression
  }
}
