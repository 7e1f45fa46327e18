import type { DesktopServices } from '../../desktop/contract/contract.ts';
import type { Driver } from '../../desktop/contract/drivers.ts';
import { DesktopError } from '../../desktop/contract/errors.ts';
import type { Finding, Leftover, Machine, Snapshot, Usage } from '../../desktop/contract/machines.ts';
import { dailyDrivers, machineRow } from './fixture-rows.ts';
import type { Feed } from './fixture-feed.ts';

type Services = DesktopServices['machines'];

/** What a world lends to its machines. */
interface World {
  readonly machines: {
    get(name: string): Machine | undefined;
    set(machine: Machine): void;
  };
  /** Notes what was asked for, and waits where a test holds that action. */
  readonly done: (words: string) => Promise<Record<string, never>>;
  readonly console: (machine: string) => Feed<string>;
}

/** The part of the world's machines that lists of containers have nothing to do with: what they can do and how they are. */
export class FixtureMachines {
  drivers: readonly Driver[] = dailyDrivers();
  findings: readonly Finding[] = [];
  leftovers: readonly Leftover[] = [];
  /** Null: it cannot be read. */
  usage: Usage | null = {
    disk: { usedBytes: 11.2 * 1024 ** 3, totalBytes: 63 * 1024 ** 3 },
    memory: { usedBytes: 1.1 * 1024 ** 3, totalBytes: 3.9 * 1024 ** 3 },
    system: 'Debian GNU/Linux 13 (trixie)',
    kernel: '6.12.48',
  };
  readonly snapshots = new Map<string, readonly Snapshot[]>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  readonly services = {
    drivers: async () => ({ drivers: this.drivers.map((driver) => structuredClone(driver)) }),
    create: async ({ name, driver = 'qemu', settings }) => {
      await this.#world.done(`create ${name} ${driver} ${JSON.stringify(settings)}`);
      this.#world.machines.set(machineRow({ name, driver, settings }));
      return {};
    },
    pause: async ({ name }) => this.#change(`pause ${name}`, name, { state: 'paused' }),
    resume: async ({ name }) => this.#change(`resume ${name}`, name, { state: 'running' }),
    suspend: async ({ name }) => this.#change(`suspend ${name}`, name, { state: 'suspended' }),
    upgrade: async ({ name }) => this.#change(`upgrade ${name}`, name, { engineVersion: '0.2.0' }),
    resize: async ({ name, settings }) => {
      const { settings: before, state } = this.#machine(name);
      await this.#change(`resize ${name} ${JSON.stringify(settings)}`, name, { settings: { ...before, ...settings } });
      return { waiting: state === 'running' ? Object.keys(settings).filter((key) => key !== 'diskBytes') : [] };
    },
    share: async ({ name, add, remove }) => {
      const { settings } = this.#machine(name);
      const before = Array.isArray(settings?.['shares']) ? settings['shares'] : [];
      const shares = [...before.filter((share) => !remove.includes(share)), ...add];
      return this.#change(`share ${name} +${add.join()} -${remove.join()}`, name, {
        settings: { ...settings, shares },
      });
    },
    snapshots: async ({ name }) => ({ snapshots: [...(this.snapshots.get(name) ?? [])] }),
    takeSnapshot: async ({ name, snapshot }) => {
      await this.#world.done(`takeSnapshot ${name} ${snapshot}`);
      const taken = { name: snapshot, createdAt: new Date().toISOString(), sizeBytes: 2 * 1024 ** 3 };
      this.snapshots.set(name, [...(this.snapshots.get(name) ?? []), taken]);
      return {};
    },
    restoreSnapshot: async ({ name, snapshot }) => this.#world.done(`restoreSnapshot ${name} ${snapshot}`),
    removeSnapshot: async ({ name, snapshot }) => {
      await this.#world.done(`removeSnapshot ${name} ${snapshot}`);
      const others = (this.snapshots.get(name) ?? []).filter((other) => other.name !== snapshot);
      this.snapshots.set(name, others);
      return {};
    },
    clone: async ({ name, copy }) => {
      const source = this.#machine(name);
      await this.#world.done(`clone ${name} ${copy}`);
      this.#world.machines.set({ ...source, name: copy, operation: null });
      return {};
    },
    export: async ({ name, file }) => {
      await this.#world.done(`export ${name} ${file}`);
      return { file: file.replace('~', '/home/mara') };
    },
    import: async ({ name, file }) => {
      await this.#world.done(`import ${name} ${file}`);
      this.#world.machines.set(machineRow({ name, state: 'stopped' }));
      return {};
    },
    usage: async () => {
      if (this.usage === null) throw new DesktopError('engine-unreachable', 'The machine does not answer.');
      return this.usage;
    },
    examine: async () => ({ findings: [...this.findings] }),
    leftovers: async () => ({ leftovers: [...this.leftovers] }),
    removeLeftovers: async ({ titles }) => {
      await this.#world.done(`removeLeftovers ${titles.join(', ')}`);
      this.leftovers = this.leftovers.filter(({ title }) => !titles.includes(title));
      return { failed: [] };
    },
    log: ({ name, source, follow }, signal) => this.#log(`${source} ${name}`, follow, signal),
  } satisfies Partial<Services>;

  async *#log(log: string, follow: boolean, signal: AbortSignal) {
    const feed = this.#world.console(log.replace(/^console /, ''));
    for await (const pieces of feed.read({ tail: null, follow, signal })) yield { text: pieces.join('') };
  }

  async #change(words: string, name: string, change: Partial<Machine>): Promise<Record<string, never>> {
    const machine = this.#machine(name);
    await this.#world.done(words);
    this.#world.machines.set({ ...machine, ...change });
    return {};
  }

  #machine(name: string): Machine {
    const machine = this.#world.machines.get(name);
    if (machine === undefined) throw new DesktopError('no-such-machine', `There is no machine named ${name}.`);
    return machine;
  }
}
