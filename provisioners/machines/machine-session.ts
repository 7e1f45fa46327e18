import type { Driver, DriverMachine, DriverRun, DriverStateQuery } from '../drivers/driver.ts';
import type { OutsideResource } from '../drivers/resources.ts';
import type { MachineSettings } from '../machines.ts';
import type { Operation } from '../progress.ts';
import type { MachineDocument } from '../store/machine-document.ts';
import type { MachineName } from '../store/machine-name.ts';
import type { MachineStore } from '../store/machine-store.ts';

/**
 * A machine in the hands of the one who holds its lock: its document, kept on disk as it changes, and the same as its driver
 * wants it.
 */
export class MachineSession {
  readonly name: MachineName;
  readonly driver: Driver;
  readonly store: MachineStore;
  #document: MachineDocument;
  readonly #secrets: MachineSettings;

  constructor(options: {
    readonly store: MachineStore;
    readonly driver: Driver;
    readonly name: MachineName;
    readonly document: MachineDocument;
    /** What this operation was given beside what is written. */
    readonly secrets?: MachineSettings;
  }) {
    this.store = options.store;
    this.driver = options.driver;
    this.name = options.name;
    this.#document = options.document;
    this.#secrets = options.secrets ?? {};
  }

  /** What this operation was given, or what was kept; never written to the document. */
  get secrets(): MachineSettings {
    return this.#secrets;
  }

  get document(): MachineDocument {
    return this.#document;
  }

  get paths(): DriverMachine['paths'] {
    return this.store.machine(this.name);
  }

  /** Durable when it resolves. */
  async change(change: Partial<MachineDocument>): Promise<void> {
    const next = { ...this.#document, ...change };
    if (JSON.stringify(next) === JSON.stringify(this.#document)) return;
    await this.store.write(this.name, next);
    this.#document = next;
  }

  async addFacts(facts: Readonly<Record<string, string>>): Promise<void> {
    await this.change({ facts: { ...this.#document.facts, ...facts } });
  }

  /** The part of it that a driver may be asked about without the lock. */
  get query(): DriverStateQuery {
    const { driverMemory: memory, settings } = this.#document;
    return { name: this.name, paths: this.paths, memory, settings };
  }

  driverMachine(given: Pick<DriverMachine, 'keys' | 'image'>): DriverMachine {
    const document = (): MachineDocument => this.#document;
    const changeResources = (change: (all: readonly OutsideResource[]) => readonly OutsideResource[]): Promise<void> =>
      this.change({ resources: change(this.#document.resources) });
    return {
      name: this.name,
      id: this.#document.id,
      owner: this.store.owner(),
      settings: { ...this.#document.settings, ...this.#secrets },
      resources: {
        get all() {
          return document().resources;
        },
        put: (resource) => changeResources((all) => [...all.filter(({ key }) => key !== resource.key), resource]),
        drop: (dropped) => changeResources((all) => all.filter(({ key }) => key !== dropped)),
      },
      paths: this.paths,
      get memory() {
        return document().driverMemory;
      },
      remember: (memory, facts = {}) =>
        this.change({ driverMemory: memory, facts: { ...this.#document.facts, ...facts } }),
      ...given,
    };
  }
}

/** What a driver is given of an operation when nobody watches its progress. */
export function quietRun(operation: Operation): DriverRun {
  return { tell: () => undefined, signal: operation.signal };
}
