import { describe, expect, it } from 'vitest';
import type { Task } from '../contract/app.ts';
import type { Container } from '../contract/containers.ts';
import type { Machine } from '../contract/machines.ts';
import { trayMenu, trayMood, trayTooltip, type TrayItem, type TrayState } from './tray-menu.ts';

const machine = (name: string, state: Machine['state']): Machine => ({
  name,
  driver: 'fake',
  state,
  error: null,
  settings: null,
  abilities: [],
  createdAt: null,
  dockerHost: null,
  dockerContext: null,
  engineVersion: null,
  address: null,
  connection: null,
  resources: [],
  logs: [],
  facts: {},
  operation: null,
});

const container = (name: string, change: Partial<Container> = {}): Container => ({
  machine: 'default',
  id: name,
  name,
  image: 'hello',
  imageId: '',
  command: '',
  state: 'running',
  createdAt: 0,
  startedAt: null,
  finishedAt: null,
  exitCode: null,
  error: null,
  ports: [],
  labels: {},
  ...change,
});

const task = (change: Partial<Task>): Task => ({
  id: 't',
  title: 'Starting the machine default',
  machine: 'default',
  state: 'running',
  fraction: null,
  detail: null,
  startedAt: 0,
  error: null,
  ...change,
});

const state = (change: Partial<TrayState> = {}): TrayState => ({
  machines: [machine('default', 'running')],
  connections: [{ machine: 'default', state: 'ready', engineVersion: '', apiVersion: '' }],
  containers: [],
  tasks: [],
  ...change,
});

/** The menu as a person sees it. */
const drawn = (items: readonly TrayItem[], indent = ''): string[] =>
  items.flatMap((item) => {
    if (item.kind === 'separator') return [`${indent}---`];
    if (item.kind === 'submenu') return [`${indent}${item.text} >`, ...drawn(item.items, `${indent}  `)];
    return [`${indent}${item.text}${item.kind === 'label' ? '' : ` [${item.command.do}]`}`];
  });

describe('the tray menu', () => {
  it('offers to open and to quit before there is a machine', () => {
    expect(drawn(trayMenu(state({ machines: [], connections: [] })))).toEqual([
      'No machine yet',
      '---',
      'Open Skiff [open]',
      '---',
      'Quit Skiff (machines keep running) [quit]',
    ]);
  });

  it('shows machine, containers with their ports, and what can be done to them', () => {
    const port = { containerPort: 80, protocol: 'tcp', published: null, forwardError: null } as const;
    const menu = trayMenu(
      state({
        containers: [
          container('old', { state: 'exited', exitCode: 2, startedAt: 5 }),
          container('web', { ports: [{ ...port, localAddress: 'localhost:8080' }] }),
        ],
      }),
    );
    expect(drawn(menu)).toEqual([
      'default: running >',
      '  Stop [stop-machine]',
      '---',
      'web: running >',
      '  Open localhost:8080 [open-address]',
      '  Stop [stop-container]',
      '  Restart [restart-container]',
      'old: exited with 2 >',
      '  Start [start-container]',
      '---',
      'Open Skiff [open]',
      '---',
      'Quit Skiff (machines keep running) [quit]',
    ]);
  });

  it('names the machine of a container when there are several, and what does not answer', () => {
    const error = { code: 'engine-unreachable', message: '' } as const;
    const menu = trayMenu(
      state({
        machines: [machine('default', 'running'), machine('two', 'stopped'), machine('three', 'starting')],
        connections: [{ machine: 'default', state: 'stale', since: 0, retryAt: 0, error }],
        containers: [container('web')],
      }),
    );
    expect(drawn(menu).filter((line) => /^\w+(:| \()/.test(line))).toEqual([
      'default: engine does not answer >',
      'two: stopped >',
      'three: starting',
      'web (default): running >',
    ]);
  });

  it('shows what is under way and how far it is, and ended tasks no more', () => {
    const tasks = [task({ fraction: 0.414, detail: 'booting' }), task({ id: 'u', title: 'Over', state: 'done' })];
    expect(drawn(trayMenu(state({ tasks })))).toContain('Starting the machine default… 41 % booting');
    expect(drawn(trayMenu(state({ tasks }))).join()).not.toContain('Over');
  });

  it('holds ten containers at most, running and recent ones first', () => {
    const containers = Array.from({ length: 200 }, (_, n) =>
      container(`box-${n}`, { startedAt: n, state: n < 3 ? 'running' : 'exited' }),
    );
    const names = drawn(trayMenu(state({ containers }))).filter((line) => line.startsWith('box-'));
    expect(names).toHaveLength(10);
    expect(names.slice(0, 4).map((line) => line.split(':')[0])).toEqual(['box-2', 'box-1', 'box-0', 'box-199']);
  });

  it.each<[string, Partial<TrayState>]>([
    ['running', {}],
    ['idle', { machines: [machine('default', 'stopped')], connections: [] }],
    ['idle', { machines: [], connections: [] }],
    ['busy', { machines: [machine('default', 'starting')] }],
    ['busy', { tasks: [task({})] }],
    ['attention', { machines: [machine('default', 'create-failed')] }],
    [
      'attention',
      {
        connections: [
          { machine: 'default', state: 'failed', since: 0, retryAt: 0, error: { code: 'internal', message: '' } },
        ],
      },
    ],
  ])('has the mood %s', (mood, change) => {
    expect(trayMood(state(change))).toBe(mood);
  });

  it('sums up in its tooltip', () => {
    expect(trayTooltip(state({ containers: [container('a'), container('b', { state: 'exited' })] }))).toBe(
      'Skiff: default running; 1 container running',
    );
    expect(trayTooltip(state({ machines: [] }))).toBe('Skiff: no machine yet');
  });
});
