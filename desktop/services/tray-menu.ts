/**
 * What the tray shows, as data: a pure function of what is known. A shell draws the items and carries out the commands; it
 * decides nothing. Labels are for people, so names come first and states in words.
 */
import type { Task } from '../contract/app.ts';
import type { Container } from '../contract/containers.ts';
import type { EngineConnection } from '../contract/engine.ts';
import type { Machine } from '../contract/machines.ts';

export interface TrayState {
  readonly machines: readonly Machine[];
  readonly connections: readonly EngineConnection[];
  readonly containers: readonly Container[];
  readonly tasks: readonly Task[];
}

export type TrayCommand =
  | { readonly do: 'open' }
  | { readonly do: 'quit' }
  | { readonly do: 'start-machine' | 'stop-machine'; readonly machine: string }
  | {
      readonly do: 'start-container' | 'stop-container' | 'restart-container';
      readonly machine: string;
      readonly id: string;
    }
  | { readonly do: 'open-address'; readonly url: string };

export type TrayItem =
  | { readonly kind: 'separator' }
  /** Says something and does nothing. */
  | { readonly kind: 'label'; readonly text: string }
  | { readonly kind: 'action'; readonly text: string; readonly command: TrayCommand }
  | { readonly kind: 'submenu'; readonly text: string; readonly items: readonly TrayItem[] };

/** What the icon says: nothing runs, all is well, something is under way, something wants to be looked at. */
export type TrayMood = 'idle' | 'running' | 'busy' | 'attention';

/** As many as a menu can hold and an eye can find; the window has the rest. */
const mostContainers = 10;

const stateWords: Readonly<Record<Machine['state'], string>> = {
  creating: 'being created',
  'create-failed': 'not finished',
  stopped: 'stopped',
  starting: 'starting',
  running: 'running',
  stopping: 'stopping',
  paused: 'paused',
  suspended: 'suspended',
  removing: 'being removed',
  'remove-failed': 'half removed',
  unknown: 'state unknown',
};

const separator: TrayItem = { kind: 'separator' };

export function trayMenu(state: TrayState): TrayItem[] {
  const groups: TrayItem[][] = [
    state.machines.length === 0
      ? [label('No machine yet')]
      : state.machines.map((machine) => machineItem(machine, state)),
    state.tasks.filter((task) => task.state === 'running').map((task) => label(taskText(task))),
    containerItems(state),
    [action('Open Skiff', { do: 'open' })],
    [action('Quit Skiff (machines keep running)', { do: 'quit' })],
  ];
  return groups
    .filter((group) => group.length > 0)
    .flatMap((group, index) => (index === 0 ? group : [separator, ...group]));
}

export function trayMood({ machines, connections, tasks }: TrayState): TrayMood {
  const isFailed = machines.some(({ state }) => state.endsWith('-failed') || state === 'unknown');
  if (isFailed || connections.some(({ state }) => state === 'failed' || state === 'stale')) return 'attention';
  const isUnderWay = machines.some(({ state }) => ['creating', 'starting', 'stopping', 'removing'].includes(state));
  if (isUnderWay || tasks.some(({ state }) => state === 'running')) return 'busy';
  return machines.some(({ state }) => state === 'running') ? 'running' : 'idle';
}

/** One line for the pointer that rests on the icon. */
export function trayTooltip({ machines, containers }: TrayState): string {
  const running = containers.filter(({ state }) => state === 'running').length;
  const machine = machines.map(({ name, state }) => `${name} ${stateWords[state]}`).join(', ');
  const count = running === 1 ? '1 container' : `${running} containers`;
  return machine === '' ? 'Skiff: no machine yet' : `Skiff: ${machine}; ${count} running`;
}

function machineItem(machine: Machine, { connections }: TrayState): TrayItem {
  const { name, state } = machine;
  const connection = connections.find((one) => one.machine === name);
  const isAway = state === 'running' && (connection?.state === 'stale' || connection?.state === 'failed');
  const text = `${name}: ${isAway ? 'engine does not answer' : stateWords[state]}`;
  const commands: TrayItem[] = [];
  if (state === 'stopped') commands.push(action('Start', { do: 'start-machine', machine: name }));
  if (state === 'running') commands.push(action('Stop', { do: 'stop-machine', machine: name }));
  return commands.length === 0 ? label(text) : { kind: 'submenu', text, items: commands };
}

function containerItems({ containers, machines }: TrayState): TrayItem[] {
  const isOneMachine = machines.length < 2;
  return containers
    .toSorted((a, b) => rank(a) - rank(b) || lastMoment(b) - lastMoment(a) || a.name.localeCompare(b.name))
    .slice(0, mostContainers)
    .map((container) => containerItem(container, isOneMachine ? '' : ` (${container.machine})`));
}

/** What runs comes first. */
function rank({ state }: Container): number {
  return state === 'running' ? 0 : 1;
}

function lastMoment({ startedAt, createdAt }: Container): number {
  return startedAt ?? createdAt;
}

function containerItem(container: Container, where: string): TrayItem {
  const { machine, id, name, state, exitCode, ports } = container;
  const word = state === 'exited' && exitCode !== null ? `exited with ${exitCode}` : state;
  const open = ports.flatMap(({ localAddress, protocol }) =>
    localAddress === null || protocol !== 'tcp'
      ? []
      : [action(`Open ${localAddress}`, { do: 'open-address', url: `http://${localAddress}/` })],
  );
  const target = { machine, id };
  const commands =
    state === 'running'
      ? [action('Stop', { do: 'stop-container', ...target }), action('Restart', { do: 'restart-container', ...target })]
      : [action('Start', { do: 'start-container', ...target })];
  return { kind: 'submenu', text: `${name}${where}: ${word}`, items: [...open, ...commands] };
}

function taskText({ title, fraction, detail }: Task): string {
  const percent = fraction === null ? '' : ` ${Math.round(fraction * 100)} %`;
  return `${title}…${percent}${detail === null ? '' : ` ${detail}`}`;
}

function label(text: string): TrayItem {
  return { kind: 'label', text };
}

function action(text: string, command: TrayCommand): TrayItem {
  return { kind: 'action', text, command };
}
