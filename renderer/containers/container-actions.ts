import type { Container, ContainerKey, ContainerState } from '../../desktop/contract/containers.ts';
import type { Session } from '../session/Session.svelte.ts';
import { containerKeyText } from './container-table.ts';

/** What can be done to one container. `remove` always asks first: see RemoveDialog. */
export type ContainerAction = 'start' | 'stop' | 'restart' | 'kill' | 'remove';

/** The one that people want most in this state, and whether the others make sense. */
export function offeredActions(state: ContainerState): readonly ContainerAction[] {
  switch (state) {
    case 'running':
    case 'restarting':
      return ['stop', 'restart', 'remove'];
    case 'paused':
      return ['stop', 'remove'];
    case 'created':
    case 'exited':
      return ['start', 'remove'];
    case 'dead':
      return ['remove'];
    case 'removing':
      return [];
  }
}

/** Start and stop are one place with two faces: the focus stays on it when the one becomes the other. */
export function actionPlace(action: ContainerAction): string {
  return action === 'start' || action === 'stop' ? 'start-stop' : action;
}

/** Longer than any grace period that people set; a container that takes more is worth a message. */
const actionTimeoutMs = 120_000;

/** Does it, keeping track in the session's book; true when it went well. */
export function actOn(options: {
  readonly session: Session;
  readonly container: Pick<Container, 'machine' | 'id'>;
  readonly action: ContainerAction;
  readonly removal?: { readonly force: boolean; readonly volumes: boolean };
}): Promise<boolean> {
  const { session, container, action, removal } = options;
  const one = { machine: container.machine, id: container.id };
  const limits = { timeoutMs: actionTimeoutMs };
  return session.containerActions.run({
    key: containerKeyText(container),
    action,
    work: async () => {
      const { containers } = session.client;
      switch (action) {
        case 'start':
          return containers.start(one, limits);
        case 'stop':
          return containers.stop(one, limits);
        case 'restart':
          return containers.restart(one, limits);
        case 'kill':
          return containers.kill(one, limits);
        case 'remove':
          return containers.remove({ ...one, ...removal }, limits);
      }
    },
  });
}

const helloTimeoutMs = 120_000;

/** Runs the built-in image; the new container's key, or null when it failed: the session's `helloActions` say why. */
export async function runHello(session: Session, machine: string): Promise<ContainerKey | null> {
  let id: string | null = null;
  await session.helloActions.run({
    key: machine,
    action: 'hello',
    work: async () => {
      id = (await session.client.containers.runHello({ machine }, { timeoutMs: helloTimeoutMs })).id;
    },
  });
  return id === null ? null : { machine, id };
}
