import type { Machine } from '../../desktop/contract/machines.ts';
import type { Session } from '../session/Session.svelte.ts';

/** What can be done to one machine. `remove` asks for its name, `stop` asks when containers run in it. */
export type MachineAction = 'start' | 'stop' | 'kill' | 'remove' | 'resume' | 'cancel';

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

/** The one that people want most in this state first. */
export function offeredMachineActions(machine: Pick<Machine, 'state' | 'operation'>): readonly MachineAction[] {
  const canCancel = machine.operation?.state === 'running';
  switch (machine.state) {
    case 'running':
      return ['stop', 'kill', 'remove'];
    case 'paused':
    case 'suspended':
    case 'stopped':
      return ['start', 'remove'];
    case 'create-failed':
      return ['resume', 'remove'];
    case 'remove-failed':
      return ['remove'];
    case 'unknown':
      return ['start', 'kill', 'remove'];
    case 'creating':
    case 'starting':
      return canCancel ? ['cancel'] : [];
    case 'stopping':
      return ['kill'];
    case 'removing':
      return [];
  }
}

/** Does it, keeping track in the session's book; true when it went well. Machines take minutes and tell their progress, so nothing here gives up on them. */
export function actOnMachine(options: {
  readonly session: Session;
  readonly name: string;
  readonly action: MachineAction;
}): Promise<boolean> {
  const { session, name, action } = options;
  const patient = { timeoutMs: null };
  return session.machineActions.run({
    key: bookKey(name, action),
    action,
    work: async () => {
      const { machines } = session.client;
      switch (action) {
        case 'start':
          return machines.start({ name }, patient);
        case 'stop':
          return machines.stop({ name }, patient);
        case 'kill':
          return machines.kill({ name }, patient);
        case 'remove':
          return machines.remove({ name }, patient);
        case 'resume':
          return machines.ensureRunning({ name }, patient);
        case 'cancel':
          return machines.cancel({ name });
      }
    },
  });
}

/** Whatever it takes to have it running. */
export function startMachine(session: Session, name: string): Promise<boolean> {
  return actOnMachine({ session, name, action: 'resume' });
}
