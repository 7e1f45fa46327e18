import type { Ability, MachineSettings } from '../../desktop/contract/drivers.ts';
import type { Machine } from '../../desktop/contract/machines.ts';
import type { Session } from '../session/Session.svelte.ts';

/** One thing to do to a machine, with all that it needs. `bring-up` goes on with a creation that failed. */
export type MachineChange =
  | { readonly verb: 'start' | 'stop' | 'kill' | 'remove' | 'bring-up' | 'cancel' }
  | { readonly verb: 'pause' | 'resume' | 'suspend' | 'upgrade' }
  | { readonly verb: 'resize'; readonly settings: MachineSettings }
  | { readonly verb: 'take-snapshot' | 'restore-snapshot' | 'remove-snapshot'; readonly snapshot: string }
  | { readonly verb: 'share'; readonly add: readonly string[]; readonly remove: readonly string[] }
  | { readonly verb: 'clone'; readonly copy: string }
  | { readonly verb: 'export'; readonly file: string };

export type MachineAction = MachineChange['verb'];

/** These end what is under way, so they do not wait for it: each has a line of its own in the book. */
const interruptions: readonly MachineAction[] = ['cancel', 'kill'];

function bookKey(name: string, action: MachineAction): string {
  return interruptions.includes(action) ? `${name} ${action}` : name;
}

/** The action under way, interruptions apart. */
export function pendingMachineAction(session: Session, name: string): MachineAction | null {
  const entry = session.machineActions.of(name);
  return entry?.kind === 'pending' ? entry.action : null;
}

/** What was tried last and failed, with the way to forget it. */
export function failedMachineAction(session: Session, name: string) {
  for (const key of [name, ...interruptions.map((action) => bookKey(name, action))]) {
    const entry = session.machineActions.of(key);
    if (entry?.kind === 'failed') return { ...entry, dismiss: (): void => session.machineActions.dismiss(key) };
  }
  return null;
}

/** Those that a machine is asked as a whole, the one that people want most in this state first; snapshots have a place of their own. */
export function offeredMachineActions(
  machine: Pick<Machine, 'state' | 'operation' | 'abilities'>,
): readonly MachineAction[] {
  const canCancel = machine.operation?.state === 'running';
  const able = (ability: Ability, ...actions: MachineAction[]): readonly MachineAction[] =>
    machine.abilities.includes(ability) ? actions : [];
  switch (machine.state) {
    case 'creating':
    case 'starting':
      return canCancel ? ['cancel'] : [];
    case 'stopping':
      return ['kill'];
    case 'removing':
      return [];
    case 'create-failed':
      return canCancel ? ['cancel'] : ['bring-up', 'remove'];
    case 'remove-failed':
      return ['remove'];
    case 'running':
    case 'paused':
    case 'suspended':
    case 'stopped':
    case 'unknown':
      return canCancel ? ['cancel'] : offeredAtRest(machine.state, able);
  }
}

function offeredAtRest(
  state: 'running' | 'paused' | 'suspended' | 'stopped' | 'unknown',
  able: (ability: Ability, ...actions: MachineAction[]) => readonly MachineAction[],
): readonly MachineAction[] {
  switch (state) {
    case 'running':
      return [
        'stop',
        ...able('pause', 'pause'),
        ...able('suspend', 'suspend'),
        ...able('resize', 'resize'),
        'upgrade',
        'kill',
        'remove',
      ];
    case 'paused':
      return ['resume', 'kill', 'remove'];
    case 'suspended':
      return ['start', 'kill', 'remove'];
    case 'stopped':
      return ['start', ...able('resize', 'resize'), ...able('copies', 'clone', 'export'), 'remove'];
    case 'unknown':
      return ['start', 'kill', 'remove'];
  }
}

/** Does it, keeping track in the session's book; true when it went well. Machines take minutes and tell their progress, so nothing here gives up on them. */
export function actOnMachine(options: {
  readonly session: Session;
  readonly name: string;
  readonly change: MachineChange;
}): Promise<boolean> {
  const { session, name, change } = options;
  return session.machineActions.run({
    key: bookKey(name, change.verb),
    action: change.verb,
    work: () => perform(session.client.machines, { name, change }),
  });
}

async function perform(
  machines: Session['client']['machines'],
  { name, change }: { readonly name: string; readonly change: MachineChange },
): Promise<unknown> {
  const patient = { timeoutMs: null };
  switch (change.verb) {
    case 'start':
    case 'stop':
    case 'kill':
    case 'remove':
    case 'pause':
    case 'resume':
    case 'suspend':
    case 'upgrade':
      return machines[change.verb]({ name }, patient);
    case 'bring-up':
      return machines.ensureRunning({ name }, patient);
    case 'cancel':
      return machines.cancel({ name });
    case 'resize':
      return machines.resize({ name, settings: change.settings }, patient);
    case 'share':
      return machines.share({ name, add: [...change.add], remove: [...change.remove] }, patient);
    case 'take-snapshot':
      return machines.takeSnapshot({ name, snapshot: change.snapshot }, patient);
    case 'restore-snapshot':
      return machines.restoreSnapshot({ name, snapshot: change.snapshot }, patient);
    case 'remove-snapshot':
      return machines.removeSnapshot({ name, snapshot: change.snapshot }, patient);
    case 'clone':
      return machines.clone({ name, copy: change.copy }, patient);
    case 'export':
      return machines.export({ name, file: change.file }, patient);
  }
}

/** Whatever it takes to have it running. */
export function bringUpMachine(session: Session, name: string): Promise<boolean> {
  return actOnMachine({ session, name, change: { verb: 'bring-up' } });
}
