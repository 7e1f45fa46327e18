/**
 * Doing things to machines, one at a time each. An operation belongs to nobody's call: it goes on when the page that asked
 * is closed, every page sees its steps, and only `cancel` or the end of the app stops it.
 */
import { MachineError, type CreateMachine, type Machines } from '../../../provisioners/machines.ts';
import type { Operation, Report } from '../../../provisioners/progress.ts';
import { DesktopError, type ErrorCode } from '../../contract/errors.ts';
import type { Clock } from '../clock.ts';
import { desktopError, errorShapeOf } from '../failures.ts';
import type { Tasks } from '../tasks.ts';
import type { MachineList } from './machine-list.ts';
import { progressOf, withReport, type OperationRecord, type Verb } from './operation-record.ts';

/** Refused before anything was begun: nothing to show in the machine's steps, the caller alone is told. */
const refusals: readonly ErrorCode[] = ['name-taken', 'busy', 'already-running', 'already-stopped', 'no-such-machine'];

const titles: Readonly<Record<Verb, (name: string) => string>> = {
  create: (name) => `Creating the machine ${name}`,
  'ensure-running': (name) => `Preparing the machine ${name}`,
  start: (name) => `Starting the machine ${name}`,
  stop: (name) => `Stopping the machine ${name}`,
  kill: (name) => `Ending the machine ${name}`,
  remove: (name) => `Removing the machine ${name}`,
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
  readonly done: Promise<void>;
}

export class MachineOperations implements AsyncDisposable {
  readonly #options: MachineOperationsOptions;
  readonly #running = new Map<string, Running>();
  #lastId = 0;

  constructor(options: MachineOperationsOptions) {
    this.#options = options;
  }

  create(request: CreateMachine): Promise<void> {
    return this.#run('create', request.name, (operation) => this.#options.machines.create(request, operation));
  }

  /** `report` is told of the steps too: a terminal that draws them. */
  ensureRunning(request: CreateMachine, report: Report = () => {}): Promise<void> {
    const running = this.#running.get(request.name);
    if (running?.verb === 'ensure-running') return running.done;
    return this.#run('ensure-running', request.name, (operation) =>
      this.#options.machines.ensureRunning(request, {
        signal: operation.signal,
        report: (step) => {
          operation.report(step);
          report(step);
        },
      }),
    );
  }

  start(name: string): Promise<void> {
    return this.#run('start', name, (operation) => this.#options.machines.start(name, operation));
  }

  stop(name: string): Promise<void> {
    return this.#run('stop', name, (operation) => this.#options.machines.stop(name, operation));
  }

  kill(name: string): Promise<void> {
    return this.#run('kill', name, (operation) => this.#options.machines.kill(name, operation));
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

  #run(verb: Verb, name: string, work: (operation: Operation) => Promise<unknown>): Promise<void> {
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

  async #record({ verb, name, work, abort }: Recorded): Promise<void> {
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
      await tasks.run({ title: titles[verb](name), machine: name }, async (tell) => {
        const operation: Operation = {
          signal: abort.signal,
          report: (report) => {
            put(withReport(record, report, clock.now()));
            tell(progressOf(record));
          },
        };
        await work(operation);
      });
      end('done');
      if (verb === 'remove') list.setRecord(name, null);
    } catch (error) {
      if (abort.signal.aborted) end('cancelled', error);
      else if (refusals.includes(desktopError(error).code)) list.setRecord(name, before);
      else end('failed', error);
      throw desktopError(error);
    } finally {
      await list.refresh();
    }
  }
}

interface Recorded {
  readonly verb: Verb;
  readonly name: string;
  readonly work: (operation: Operation) => Promise<unknown>;
  readonly abort: AbortController;
}
