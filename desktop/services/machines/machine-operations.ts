/**
 * Doing things to machines, one at a time each. An operation belongs to nobody's call: it goes on when the page that asked
 * is closed, every page sees its steps, and only `cancel` or the end of the app stops it.
 */
import {
  MachineError,
  type CreateMachine,
  type MachineSettings,
  type Machines,
  type ShareChange,
  type SnapshotChange,
} from '../../../provisioners/machines.ts';
import type { Operation, Report } from '../../../provisioners/progress.ts';
import { DesktopError, type ErrorCode } from '../../contract/errors.ts';
import type { Clock } from '../clock.ts';
import { desktopError, errorShapeOf } from '../failures.ts';
import type { Tasks } from '../tasks.ts';
import type { MachineList } from './machine-list.ts';
import { progressOf, withReport, type OperationRecord, type Verb } from './operation-record.ts';

/** Refused before anything was begun: nothing to show in the machine's steps, the caller alone is told. */
const refusals: readonly ErrorCode[] = [
  'name-taken',
  'busy',
  'already-running',
  'already-stopped',
  'not-supported',
  'no-such-machine',
];

/** A form stands behind these: while nothing of the machine is there, its error is told there and the list has no row for it. */
const asksForMachine: readonly Verb[] = ['create', 'import'];

const titles: Readonly<Record<Verb, (name: string) => string>> = {
  create: (name) => `Creating the machine ${name}`,
  'ensure-running': (name) => `Preparing the machine ${name}`,
  start: (name) => `Starting the machine ${name}`,
  stop: (name) => `Stopping the machine ${name}`,
  kill: (name) => `Ending the machine ${name}`,
  remove: (name) => `Removing the machine ${name}`,
  pause: (name) => `Pausing the machine ${name}`,
  resume: (name) => `Resuming the machine ${name}`,
  suspend: (name) => `Suspending the machine ${name}`,
  resize: (name) => `Resizing the machine ${name}`,
  share: (name) => `Changing what ${name} shares`,
  'take-snapshot': (name) => `Taking a snapshot of ${name}`,
  'restore-snapshot': (name) => `Restoring a snapshot of ${name}`,
  'remove-snapshot': (name) => `Removing a snapshot of ${name}`,
  clone: (name) => `Copying the machine ${name}`,
  export: (name) => `Exporting the machine ${name}`,
  import: (name) => `Importing the machine ${name}`,
  upgrade: (name) => `Upgrading the engine of ${name}`,
};

const snapshotVerbs: Readonly<Record<SnapshotChange['verb'], Verb>> = {
  take: 'take-snapshot',
  restore: 'restore-snapshot',
  remove: 'remove-snapshot',
};

export interface MachineOperationsOptions {
  readonly machines: Machines;
  readonly list: MachineList;
  readonly tasks: Tasks;
  readonly clock: Clock;
}

interface Running {
  readonly verb: Verb;
  readonly abort: AbortController;
  readonly done: Promise<unknown>;
}

export class MachineOperations implements AsyncDisposable {
  readonly #options: MachineOperationsOptions;
  readonly #running = new Map<string, Running>();
  /** What half-made machines were asked to be, secrets among it, which are written nowhere: "Try again" goes on with it. */
  readonly #wanted = new Map<string, CreateMachine>();
  #lastId = 0;

  constructor(options: MachineOperationsOptions) {
    this.#options = options;
  }

  create(request: CreateMachine): Promise<void> {
    return this.#make('create', request, (wanted, operation) => this.#options.machines.create(wanted, operation));
  }

  /** `report` is told of the steps too: a terminal that draws them. */
  async ensureRunning(request: CreateMachine, report: Report = () => {}): Promise<void> {
    const running = this.#running.get(request.name);
    if (running?.verb === 'ensure-running') await running.done;
    else
      await this.#make('ensure-running', request, (wanted, operation) =>
        this.#options.machines.ensureRunning(wanted, {
          signal: operation.signal,
          report: (step) => {
            operation.report(step);
            report(step);
          },
        }),
      );
  }

  /** What is one call of the provisioner, with nothing to say but the machine's name. */
  async change(
    verb: 'start' | 'stop' | 'kill' | 'pause' | 'resume' | 'suspend' | 'upgrade',
    name: string,
  ): Promise<void> {
    const { machines } = this.#options;
    await this.#run(verb, name, (operation) => machines[verb](name, operation));
  }

  /** Keys of settings that count from its next start on. */
  resize(name: string, settings: MachineSettings): Promise<readonly string[]> {
    return this.#run('resize', name, async (operation) => {
      const { waiting } = await this.#options.machines.resize(name, settings, operation);
      return waiting;
    });
  }

  async share(name: string, change: ShareChange): Promise<void> {
    await this.#run('share', name, (operation) => this.#options.machines.share(name, change, operation));
  }

  changeSnapshot(name: string, change: SnapshotChange): Promise<void> {
    return this.#run(snapshotVerbs[change.verb], name, (operation) =>
      this.#options.machines.changeSnapshot(name, change, operation),
    );
  }

  async clone(name: string, copy: string): Promise<void> {
    await this.#run('clone', name, (operation) => this.#options.machines.clone(name, copy, operation));
  }

  export(name: string, file: string): Promise<void> {
    return this.#run('export', name, (operation) => this.#options.machines.export(name, file, operation));
  }

  async import(name: string, file: string): Promise<void> {
    await this.#run('import', name, (operation) => this.#options.machines.import(name, file, operation));
  }

  remove(name: string): Promise<void> {
    return this.#run('remove', name, async (operation) => {
      try {
        await this.#options.machines.remove(name, operation);
      } catch (error) {
        // One whose creation failed before its document was written: what is left of it is our record alone.
        const isUnwritten =
          error instanceof MachineError && error.code === 'no-such-machine' && this.#options.list.has(name);
        if (!isUnwritten) throw error;
      }
      this.#wanted.delete(name);
    });
  }

  cancel(name: string): void {
    const running = this.#running.get(name);
    if (!running) throw new DesktopError('not-running', `Nothing is being done to ${name}.`);
    running.abort.abort(new DesktopError('aborted', 'Cancelled.'));
  }

  /** Stops whatever runs at its next safe point and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#running.values()];
    for (const { abort } of all) abort.abort(new DesktopError('aborted', 'Skiff was closed.'));
    await Promise.allSettled(all.map(({ done }) => done));
  }

  /** A request that asks for nothing goes on with what was asked for before. */
  async #make(
    verb: Verb,
    request: CreateMachine,
    work: (wanted: CreateMachine, operation: Operation) => Promise<unknown>,
  ): Promise<void> {
    const { name, driver, settings } = request;
    const asksAnew = driver !== undefined || Object.keys(settings).length > 0;
    const wanted = asksAnew ? request : (this.#wanted.get(name) ?? request);
    await this.#run(verb, name, async (operation) => {
      this.#wanted.set(name, wanted);
      await work(wanted, operation);
      this.#wanted.delete(name);
    });
  }

  #run<T>(verb: Verb, name: string, work: (operation: Operation) => Promise<T>): Promise<T> {
    const other = this.#running.get(name);
    if (other) {
      const message = `${titles[other.verb](name)} is under way; wait for it or cancel it.`;
      return Promise.reject(new DesktopError('busy', message));
    }
    const abort = new AbortController();
    const done = this.#record({ verb, name, work, abort }).finally(() => this.#running.delete(name));
    this.#running.set(name, { verb, abort, done });
    return done;
  }

  async #record<T>({ verb, name, work, abort }: Recorded<T>): Promise<T> {
    const { list, tasks, clock } = this.#options;
    const before = list.record(name);
    this.#lastId += 1;
    let record: OperationRecord = {
      id: `operation-${this.#lastId}`,
      verb,
      state: 'running',
      startedAt: clock.now(),
      endedAt: null,
      steps: [],
      error: null,
    };
    const put = (next: OperationRecord): void => list.setRecord(name, (record = next));
    const end = (state: OperationRecord['state'], error: unknown = null): void =>
      put({ ...record, state, endedAt: clock.now(), error: error === null ? null : errorShapeOf(error) });
    put(record);
    try {
      const result = await tasks.run({ title: titles[verb](name), machine: name }, (tell) =>
        work({
          signal: abort.signal,
          report: (report) => {
            put(withReport(record, report, clock.now()));
            tell(progressOf(record));
          },
        }),
      );
      end('done');
      if (verb === 'remove') list.setRecord(name, null);
      return result;
    } catch (error) {
      if (abort.signal.aborted) end('cancelled', error);
      else if (refusals.includes(desktopError(error).code)) list.setRecord(name, before);
      else end('failed', error);
      throw desktopError(error);
    } finally {
      await list.refresh();
      if (asksForMachine.includes(verb) && list.document(name) === null) {
        list.setRecord(name, before);
        this.#wanted.delete(name);
      }
    }
  }
}

interface Recorded<T> {
  readonly verb: Verb;
  readonly name: string;
  readonly work: (operation: Operation) => Promise<T>;
  readonly abort: AbortController;
}
