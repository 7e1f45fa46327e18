import type { Driver, DriverMachine, DriverRun } from '../drivers/driver.ts';
import type { Operation } from '../progress.ts';
import type { MachineDocument } from '../store/machine-document.ts';
import type { MachineName } from '../store/machine-name.ts';
import type { MachineStore } from '../store/machine-store.ts';
import type { MachineKeys } from './machine-keys.ts';

/**
 * A machine in the hands of the one who holds its lock: its document, kept on disk as it changes, and the same as its driver
 * wants it.
 */
export class MachineSession {
  readonly name: MachineName;
  readonly driver: Driver;
  readonly store: MachineStore;
  #document: MachineDocument;

  constructor(options: {
    readonly store: MachineStore;
    readonly driver: Driver;
    readonly name: MachineName;
    readonly document: MachineDocument;
  }) {
    this.store = options.store;
    this.driver = options.driver;
    this.name = options.name;
    this.#document = options.document;
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

  driverMachine(given: { readonly keys: MachineKeys; readonly image: DriverMachine['image'] }): DriverMachine {
    const document = (): MachineDocument => this.#document;
    return {
      name: this.name,
      settings: this.#document.settings,
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

const noKey = { privateKey: '', publicKey: '' };

/** For calls of a driver that neither boot nor log in. */
export const withoutKeys: Pick<DriverMachine, 'keys' | 'image'> = {
  keys: { identity: noKey, host: noKey },
  image: null,
};
