/** For tests: a root of busybox, containers of it on a real monitor with a real crun, and the proof that nothing is left. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { FrameDecoder } from '../../api/framing.ts';
import { readMounts } from '../kernel/mount-table.ts';
import type { LogFilePlan } from '../logs/log-plan.ts';
import { newContainerId, type ContainerId } from '../model/ids.ts';
import type { ExitRecord, Monitor, StartRequest, StdioPlan } from '../monitor/monitor.ts';
import { openMonitor, type OpenMonitorOptions } from '../monitor/open-monitor.ts';
import { monitorFromSources } from '../monitor/start-monitor.ts';
import { prepareCgroups, removeEngineCgroup } from '../runtime/cgroups.ts';
import { cgroupPath, defaultSecurity, unlimited, type ContainerSettings } from '../runtime/container-settings.ts';
import { readHostFacts } from '../runtime/host-facts.ts';
import { buildSpec } from '../runtime/spec.ts';

export const program = '/usr/bin/crun';
const busybox = '/bin/busybox';
const applets =
  'sh echo cat sleep true false yes head seq wc ls stty tty grep id env mount nc kill dd touch hostname ulimit'.split(
    ' ',
  );

export class ContainerLab implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'skiff-lab-'));
  readonly engine = `lab${process.pid}-${Math.random().toString(36).slice(2, 7)}`;
  readonly rootfs = join(this.folder, 'rootfs');
  readonly monitorFolder = join(this.folder, 'm');
  readonly reports: string[] = [];
  readonly #opened = new Set<Monitor>();
  readonly #ids = new Set<ContainerId>();
  readonly #mountsBefore = readMounts().length;

  constructor() {
    prepareCgroups();
    for (const name of ['bin', 'proc', 'sys', 'dev', 'tmp', 'etc'])
      mkdirSync(join(this.rootfs, name), { recursive: true });
    copyFileSync(busybox, join(this.rootfs, 'bin/busybox'));
    chmodSync(join(this.rootfs, 'bin/busybox'), 0o755);
    for (const applet of applets) symlinkSync('busybox', join(this.rootfs, 'bin', applet));
    writeFileSync(join(this.rootfs, 'etc/no-program'), 'text');
  }

  monitorOptions(build?: string): Omit<OpenMonitorOptions, 'report'> {
    const sources = monitorFromSources();
    return {
      folder: this.monitorFolder,
      exitFolder: join(this.monitorFolder, 'exits'),
      program: { ...sources, build: build ?? sources.build },
      idleMs: 200,
    };
  }

  /** One skiffd's side; `build`: of another engine than this one. */
  async open(build?: string): Promise<Monitor> {
    const monitor = await openMonitor({
      ...this.monitorOptions(build),
      report: (message) => this.reports.push(message),
    });
    this.#opened.add(monitor);
    return monitor;
  }

  /** Writes a bundle and gives what starts it. */
  request(args: readonly string[], more: RequestOptions = {}): StartRequest & { readonly log: LabLog } {
    const id = more.id ?? newContainerId();
    this.#ids.add(id);
    const bundle = join(this.folder, 'bundles', id);
    mkdirSync(bundle, { recursive: true });
    const stdio = more.stdio ?? { kind: 'pipes', stdin: 'none' };
    const settings: ContainerSettings = { ...this.settings(id, args, stdio), ...more.settings };
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(buildSpec(settings, readHostFacts())));
    return {
      id,
      bundle,
      runtime: { program, stateFolder: join(this.folder, 'crun') },
      stdio,
      log: more.log ?? { driver: 'json-file', path: join(bundle, 'log'), maxSizeBytes: 1e9, maxFiles: 2 },
      cgroup: settings.cgroup,
      ...more.request,
    };
  }

  settings(id: ContainerId, args: readonly string[], stdio: StdioPlan): ContainerSettings {
    return {
      id,
      rootfs: this.rootfs,
      isRootReadOnly: false,
      args,
      env: ['PATH=/bin'],
      workingDir: '/',
      user: { uid: 0, gid: 0, additionalGids: [], home: '/' },
      hostname: 'lab',
      domainname: '',
      terminal: stdio.kind === 'terminal' ? { size: stdio.size } : null,
      namespaces: { network: 'private', pid: 'private', ipc: 'private', uts: 'private', cgroup: 'private' },
      sharedMemory: null,
      mounts: [],
      shmSizeBytes: null,
      security: defaultSecurity,
      devices: [],
      deviceRules: [],
      resources: unlimited,
      rlimits: [],
      sysctls: {},
      oomScoreAdjust: null,
      cgroup: cgroupPath(this.engine, id),
      annotations: {},
    };
  }

  /** The stored lines of a container, as text. */
  logOf(
    request: StartRequest & { readonly log: LabLog },
  ): readonly { readonly log: string; readonly stream: string; readonly time: string }[] {
    if (request.log.driver === 'none') return [];
    return readFileSync(request.log.path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { log: string; stream: string; time: string });
  }

  /** What there still is of the containers that were asked for: bundles and logs are the caller's. */
  leftovers(): readonly string[] {
    const state = join(this.folder, 'crun');
    return [
      ...(existsSync(state) ? readdirSync(state).filter((name) => this.#ids.has(name as ContainerId)) : []),
      ...readMounts()
        .slice(this.#mountsBefore)
        .filter(({ target }) => target.startsWith(this.folder))
        .map(({ target }) => target),
      ...[...this.#ids].flatMap((id) => cgroupsOf(cgroupPath(this.engine, id))),
      ...(existsSync(join(this.monitorFolder, 'running')) ? readdirSync(join(this.monitorFolder, 'running')) : []),
    ];
  }

  /** A test that fails must not leave its containers to the next one. */
  async [Symbol.asyncDispose](): Promise<void> {
    const state = join(this.folder, 'crun');
    for (const id of existsSync(state) ? readdirSync(state) : [])
      spawnSync(program, ['--root', state, 'delete', '--force', id], { timeout: deadlineMs });
    for (const monitor of this.#opened) await monitor[Symbol.asyncDispose]();
    await removeEngineCgroup(`/skiff-${this.engine}`);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The logs that tests look at. */
type LabLog = LogFilePlan | { readonly driver: 'none' };

export interface RequestOptions {
  readonly id?: ContainerId;
  readonly stdio?: StdioPlan;
  readonly log?: LabLog;
  readonly settings?: Partial<ContainerSettings>;
  readonly request?: Partial<Omit<StartRequest, 'log'>>;
}

function cgroupsOf(path: string): readonly string[] {
  const root = '/sys/fs/cgroup';
  return ['', ...readdirSync(root)].map((name) => join(root, name, path)).filter((folder) => existsSync(folder));
}

/** The exits of one skiffd, awaited by id. */
export class Exits {
  readonly records: ExitRecord[] = [];
  #waiting: { readonly id: ContainerId; readonly resolve: (record: ExitRecord) => void }[] = [];

  constructor(monitor: Monitor) {
    monitor.onExit((record) => {
      this.records.push(record);
      for (const { id, resolve } of this.#waiting) if (id === record.id) resolve(record);
      this.#waiting = this.#waiting.filter(({ id }) => id !== record.id);
    });
  }

  of(id: ContainerId): Promise<ExitRecord> {
    const known = this.records.find((record) => record.id === id);
    if (known !== undefined) return Promise.resolve(known);
    return withDeadline(`the exit of ${id}`, new Promise((resolve) => this.#waiting.push({ id, resolve })));
  }
}

/** All output of an attached client, by stream; resolves at its end. */
export async function collect(
  stream: Duplex,
  framing: 'frames' | 'raw' = 'frames',
): Promise<{ stdout: string; stderr: string }> {
  const decoder = new FrameDecoder();
  const text = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (framing === 'raw') text.stdout.push(chunk);
    else
      for (const { stream: name, payload } of decoder.push(chunk))
        if (name === 'stdout' || name === 'stderr') text[name].push(payload);
  }
  return { stdout: Buffer.concat(text.stdout).toString(), stderr: Buffer.concat(text.stderr).toString() };
}

const deadlineMs = 60_000;

export async function withDeadline<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms for ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again, with a deadline. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
