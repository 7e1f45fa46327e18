/**
 * The machines of this computer as the page sees them: what the provisioner's documents say, joined with the operation
 * that this process runs or ran last on each. A machine that is only being made has an operation before it has a document,
 * and is listed from then on.
 */
import type { Machine as MachineDocument, Machines } from '../../../provisioners/machines.ts';
import { DesktopError } from '../../contract/errors.ts';
import type { ListUpdate } from '../../contract/list-updates.ts';
import type { Machine } from '../../contract/machines.ts';
import type { Clock } from '../clock.ts';
import { LiveList } from '../lists/live-list.ts';
import { machineRow, type MachineEntry } from './machine-row.ts';
import type { OperationRecord } from './operation-record.ts';

export interface MachineListOptions {
  readonly machines: Machines;
  readonly clock: Clock;
  /** Told when the machines could not be read; the list stays as it was. */
  readonly report: (fault: Error) => void;
}

export class MachineList implements Disposable {
  readonly #options: MachineListOptions;
  readonly #entries = new LiveList<MachineEntry, string>({ keyOf: ({ name }) => name, keyText: (name) => name });
  readonly #watching: Disposable;
  #reading: Promise<void> | null = null;
  #isReadAgain = false;

  constructor(options: MachineListOptions) {
    this.#options = options;
    this.#watching = options.machines.watch(() => void this.refresh());
  }

  /** Reads the machines anew; asked for while it is reading, it reads once more. Rejects when they cannot be read. */
  read(): Promise<void> {
    if (this.#reading) this.#isReadAgain = true;
    else this.#reading = this.#readAll();
    return this.#reading;
  }

  /** As `read`, for those who have nobody to tell: never rejects. */
  refresh(): Promise<void> {
    return this.read().catch((error: unknown) => {
      this.#options.report(new Error('the machines could not be read', { cause: error }));
    });
  }

  values(): Machine[] {
    return this.#entries.values().map((entry) => machineRow(entry, this.#options.clock.now()));
  }

  documents(): MachineDocument[] {
    return this.#entries.values().flatMap(({ document }) => (document ? [document] : []));
  }

  document(name: string): MachineDocument | null {
    return this.#entries.get(name)?.document ?? null;
  }

  has(name: string): boolean {
    return this.#entries.get(name) !== undefined;
  }

  record(name: string): OperationRecord | null {
    return this.#entries.get(name)?.record ?? null;
  }

  setRecord(name: string, record: OperationRecord | null): void {
    const document = this.document(name);
    if (document === null && record === null) this.#entries.delete(name);
    else this.#entries.set({ name, document, record });
  }

  onChange(listener: () => void): Disposable {
    return this.#entries.onChange(listener);
  }

  until<R>(find: () => R | undefined, signal: AbortSignal): Promise<R> {
    return this.#entries.until(find, signal);
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ListUpdate<Machine, string>> {
    for await (const update of this.#entries.watch(signal)) {
      const present = (entry: MachineEntry): Machine => machineRow(entry, this.#options.clock.now());
      if (update.kind === 'snapshot') yield { ...update, items: update.items.map(present) };
      else yield { ...update, upsert: update.upsert.map(present) };
    }
  }

  [Symbol.dispose](): void {
    this.#watching[Symbol.dispose]();
  }

  async #readAll(): Promise<void> {
    try {
      do {
        this.#isReadAgain = false;
        this.#take(await this.#options.machines.list());
      } while (this.#isReadAgain);
    } finally {
      // In the same turn as the last look at `#isReadAgain`: who asks after it must not join a reading that is over.
      this.#reading = null;
    }
  }

  #take(documents: readonly MachineDocument[]): void {
    const names = new Set(documents.map(({ name }) => name));
    for (const { name, record } of this.#entries.values()) {
      if (names.has(name)) continue;
      // Gone, or not written yet: then its operation alone keeps it in the list.
      if (record === null || record.state === 'done') this.#entries.delete(name);
      else this.#entries.set({ name, document: null, record });
    }
    for (const document of documents) {
      this.#entries.set({ name: document.name, document, record: this.record(document.name) });
    }
  }
}

export function noSuchMachine(name: string): DesktopError {
  return new DesktopError('no-such-machine', `There is no machine named ${name}.`);
}
