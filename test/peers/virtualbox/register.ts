import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isAlive, PlayedFaults, readJson, writeWhole } from '../played-record.ts';

/** What the played VirtualBox knows, as files below its home: one a machine, one a disk. */

/** What runs inside of its machines: `sshd` of this computer, or what the disks hold, in QEMU. */
export type PlayedSystemKind = 'sshd' | 'qemu';

export interface PlayedVm {
  readonly uuid: string;
  readonly name: string;
  /** `<basefolder>/<name>`; its settings file lies in it. */
  readonly folder: string;
  readonly state: 'poweroff' | 'running' | 'paused' | 'saved' | 'aborted';
  /** Of the process that plays it. */
  readonly pid: number | null;
  readonly settings: Readonly<Record<string, string>>;
  readonly controllers: readonly { readonly name: string; readonly ports: number }[];
  /** File by `<controller>-<port>-<device>`. */
  readonly disks: Readonly<Record<string, string>>;
  /** Rule by name: `ssh,tcp,127.0.0.1,41000,,22`. */
  readonly forwardings: Readonly<Record<string, string>>;
}

export type VirtualboxFault = 'locked' | 'no-space' | 'no-virtualisation' | 'killed-before' | 'killed-after' | 'hangs';

export class Register {
  readonly home: string;
  readonly system: PlayedSystemKind;
  readonly faults: PlayedFaults<VirtualboxFault>;

  constructor(home: string, system: PlayedSystemKind) {
    this.home = home;
    this.system = system;
    this.faults = new PlayedFaults(home);
    for (const folder of ['machines', 'media']) mkdirSync(join(home, folder), { recursive: true });
  }

  machines(): PlayedVm[] {
    const files = readdirSync(join(this.home, 'machines')).filter((name) => name.endsWith('.json'));
    return files.flatMap((name) => readMachine(join(this.home, 'machines', name))).map(withLiveness);
  }

  find(nameOrUuid: string): PlayedVm | null {
    const wanted = nameOrUuid.replaceAll(/[{}]/g, '');
    const [known] = readMachine(this.#machineFile(wanted)).map(withLiveness);
    return known ?? this.machines().find(({ name }) => name === wanted) ?? null;
  }

  put(vm: PlayedVm): void {
    writeWhole(this.#machineFile(vm.uuid), vm);
  }

  remove({ uuid }: PlayedVm): void {
    rmSync(this.#machineFile(uuid), { force: true });
  }

  controlSocket(uuid: string): string {
    return join(this.home, `${uuid.slice(0, 8)}.sock`);
  }

  media(): string[] {
    return readdirSync(join(this.home, 'media')).map((name) => readFileSync(join(this.home, 'media', name), 'utf8'));
  }

  openMedium(path: string): void {
    writeFileSync(this.#mediumFile(path), resolve(path));
  }

  hasMedium(path: string): boolean {
    return existsSync(this.#mediumFile(path));
  }

  closeMedium(path: string): void {
    rmSync(this.#mediumFile(path), { force: true });
  }

  isAttached(path: string): boolean {
    return this.machines().some(({ disks }) => Object.values(disks).includes(resolve(path)));
  }

  #machineFile(uuid: string): string {
    return join(this.home, 'machines', `${uuid}.json`);
  }

  #mediumFile(path: string): string {
    return join(this.home, 'media', createHash('sha256').update(resolve(path)).digest('hex').slice(0, 24));
  }
}

/** The server notices when a machine's process has ended without a word. */
function withLiveness(vm: PlayedVm): PlayedVm {
  if (vm.pid === null || isAlive(vm.pid)) return vm;
  return { ...vm, pid: null, state: vm.state === 'poweroff' ? 'poweroff' : 'aborted' };
}

/** Another command may just have unregistered it. */
function readMachine(path: string): PlayedVm[] {
  try {
    return [readJson<PlayedVm>(path)];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
