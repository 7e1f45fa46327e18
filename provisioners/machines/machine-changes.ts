import { resolve } from 'node:path';
import type { DriverRun } from '../drivers/driver.ts';
import type {
  Finding,
  Leftover,
  Machine,
  MachineSettings,
  MachineSnapshot,
  Resized,
  ShareChange,
  SnapshotChange,
} from '../machines.ts';
import { MachineError } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { runStep } from '../progress.ts';
import type { LockVerb } from '../store/machine-lock.ts';
import type { MachineName } from '../store/machine-name.ts';
import { parseMachineName } from '../store/machine-name.ts';
import { connectComputer } from './bring-up.ts';
import {
  changeSnapshot,
  listSnapshots,
  pauseMachine,
  resizeMachine,
  resumeMachine,
  suspendMachine,
} from './change-machine.ts';
import { shareFolders } from './share-folders.ts';
import { cloneMachine, exportMachine, importMachine } from './copy-machine.ts';
import { examine } from './doctor.ts';
import { findLeftovers } from './leftovers.ts';
import { MachineSession } from './machine-session.ts';
import { renewKeys } from './renew-keys.ts';
import { viewMachine } from './machine-view.ts';
import type { MachinesContext } from './machines-context.ts';

/** The part of `Machines` that changes machines which are made: each change holds the lock, is one step, and ends with what the machine is then. */
export class MachineChanges {
  protected readonly context: MachinesContext;

  constructor(context: MachinesContext) {
    this.context = context;
  }

  pause(name: string, operation: Operation): Promise<Machine> {
    return this.change(name, { verb: 'pause', title: 'Pausing the machine', operation }, pauseMachine);
  }

  resume(name: string, operation: Operation): Promise<Machine> {
    return this.change(name, { verb: 'resume', title: 'Resuming the machine', operation }, async (session, run) => {
      await resumeMachine(session, run);
      await connectComputer({ ...this.context, session, operation });
    });
  }

  suspend(name: string, operation: Operation): Promise<Machine> {
    return this.change(name, { verb: 'suspend', title: 'Suspending the machine', operation }, suspendMachine);
  }

  share(name: string, change: ShareChange, operation: Operation): Promise<Machine> {
    const how = { verb: 'change', title: 'Changing what is shared', operation } as const;
    return this.change(name, how, (session) => shareFolders(session, change));
  }

  async resize(name: string, settings: MachineSettings, operation: Operation): Promise<Resized> {
    let waiting: readonly string[] = [];
    const how = { verb: 'change', title: 'Resizing the machine', operation } as const;
    const machine = await this.change(name, how, async (session, run) => {
      waiting = await resizeMachine(session, settings, run);
    });
    return { machine, waiting };
  }

  renewKeys(name: string, operation: Operation): Promise<Machine> {
    return this.change(name, { verb: 'change', title: 'Renewing its SSH key', operation }, renewKeys);
  }

  async snapshots(name: string): Promise<readonly MachineSnapshot[]> {
    return listSnapshots(await this.session(parseMachineName(name)));
  }

  async changeSnapshot(name: string, change: SnapshotChange, operation: Operation): Promise<void> {
    const title = { take: 'Taking a snapshot', restore: 'Restoring a snapshot', remove: 'Removing a snapshot' };
    const how = { verb: 'change', title: title[change.verb], operation } as const;
    await this.change(name, how, (session, run) => changeSnapshot(session, change, run));
  }

  async clone(name: string, copy: string, operation: Operation): Promise<Machine> {
    const target = parseMachineName(copy);
    await using _lock = await this.context.store.lock(target, 'create');
    const how = { verb: 'change', title: 'Copying the machine', operation } as const;
    await this.change(name, how, (source, run) => cloneMachine(this.context, { source, name: target, run }));
    return this.view(target);
  }

  async export(name: string, file: string, operation: Operation): Promise<void> {
    const how = { verb: 'change', title: 'Exporting the machine', operation } as const;
    await this.change(name, how, (session, run) => exportMachine(session, { file: resolve(file), run }));
  }

  async import(text: string, file: string, operation: Operation): Promise<Machine> {
    const name = parseMachineName(text);
    {
      await using _lock = await this.context.store.lock(name, 'create');
      await runStep({ step: 'import', title: 'Importing the machine', operation }, (tell) =>
        importMachine(this.context, { name, file: resolve(file), run: { tell, signal: operation.signal } }),
      );
    }
    return this.view(name);
  }

  async examine(): Promise<readonly Finding[]> {
    const views = await Promise.all(
      (await this.context.store.names()).map((name) => viewMachine({ ...this.context, name })),
    );
    return examine(
      this.context,
      views.filter((view) => view !== null),
    );
  }

  leftovers(): Promise<readonly Leftover[]> {
    return findLeftovers(this.context);
  }

  /** One change of one machine: its lock, its step, and what it is afterwards. */
  protected async change(
    text: string,
    how: { readonly verb: LockVerb; readonly title: string; readonly operation: Operation },
    work: (session: MachineSession, run: DriverRun) => Promise<void>,
  ): Promise<Machine> {
    const name = parseMachineName(text);
    const { verb, title, operation } = how;
    {
      if (!(await this.context.store.names()).includes(name)) throw noSuchMachine(name);
      await using _lock = await this.context.store.lock(name, verb);
      const session = await this.session(name);
      if (session.document.lifecycle.phase !== 'ready') throw notComplete(session);
      await runStep({ step: verb, title, operation }, (tell) => work(session, { tell, signal: operation.signal }));
    }
    return this.view(name);
  }

  protected async session(name: MachineName): Promise<MachineSession> {
    const { store, drivers } = this.context;
    const document = await store.read(name);
    if (document === null) throw noSuchMachine(name);
    const driver = drivers.get(document.driver);
    if (driver === undefined)
      throw new MachineError(
        'no-such-driver',
        `Machine "${name}" needs the driver "${document.driver}", which this Skiff does not have`,
      );
    const secrets = await this.context.secretsOf(driver, store.machine(name));
    return new MachineSession({ store, driver, name, document, secrets });
  }

  protected async view(name: MachineName): Promise<Machine> {
    const view = await viewMachine({ ...this.context, name });
    if (view === null) throw noSuchMachine(name);
    return view;
  }
}

export function notComplete({ name, document }: MachineSession): MachineError {
  const hint = document.lifecycle.phase === 'creating' ? 'create it again to go on' : 'remove it again';
  return new MachineError('internal', `Machine "${name}" is not complete; ${hint}`);
}

export function noSuchMachine(name: string): MachineError {
  return new MachineError(
    'no-such-machine',
    `There is no machine "${name}"; \`skiff machine ls\` lists those that there are`,
  );
}
