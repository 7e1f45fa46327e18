import { expect, test } from 'vitest';
import type { Container } from '../../desktop/contract/containers.ts';
import { nextSort } from '../lists/sort-choice.ts';
import { downFirst, visibleContainers, type TableChoice } from './container-table.ts';

let made = 0;
const container = (fields: Partial<Container>): Container => ({
  machine: 'default',
  id: String((made += 1)).padStart(64, 'a'),
  name: 'box',
  image: 'busybox',
  imageId: 'sha256:0',
  command: 'sh',
  state: 'running',
  createdAt: 0,
  startedAt: null,
  finishedAt: null,
  exitCode: null,
  error: null,
  ports: [],
  labels: {},
  ...fields,
});
const choice = (fields: Partial<TableChoice>): TableChoice => ({
  search: '',
  onlyRunning: false,
  sort: { column: 'name', direction: 'ascending' },
  ...fields,
});
const shown = (rows: readonly Container[], fields: Partial<TableChoice> = {}) =>
  visibleContainers(rows, choice(fields)).map((row) => row.name);

test('names sort as people count, whatever their letter case', () => {
  const rows = ['web-10', 'Web-9', 'api', 'web-1'].map((name) => container({ name }));
  expect(shown(rows)).toEqual(['api', 'web-1', 'Web-9', 'web-10']);
});

test('sorted by state, the living come first and names decide among equals', () => {
  const rows = [
    container({ name: 'd', state: 'exited' }),
    container({ name: 'c', state: 'created' }),
    container({ name: 'b', state: 'running' }),
    container({ name: 'a', state: 'running' }),
  ];
  expect(shown(rows, { sort: { column: 'state', direction: 'ascending' } })).toEqual(['a', 'b', 'c', 'd']);
});

test('sorting leaves the given rows as they are', () => {
  const rows = Object.freeze([container({ name: 'b' }), container({ name: 'a' })]);
  expect(shown(rows)).toEqual(['a', 'b']);
});

test('only running keeps what holds resources', () => {
  const rows = (['running', 'paused', 'restarting', 'created', 'exited', 'dead', 'removing'] as const).map((state) =>
    container({ name: state, state }),
  );
  expect(shown(rows, { onlyRunning: true })).toEqual(['paused', 'restarting', 'running']);
});

test.each([
  ['WEB', ['web']],
  ['nginx', ['web']],
  ['exited busy', ['job']],
  ['8080', ['web']],
  ['80', ['web']],
  ['808', []],
  ['  ', ['job', 'web']],
  ['web nothing', []],
])('searching for %j finds %j', (search, names) => {
  const rows = [
    container({
      name: 'web',
      image: 'nginx:1.27',
      ports: [
        {
          containerPort: 80,
          protocol: 'tcp',
          published: { ip: '0.0.0.0', port: 8080 },
          localAddress: null,
          forwardError: null,
        },
      ],
    }),
    container({ name: 'job', state: 'exited' }),
  ];
  expect(shown(rows, { search })).toEqual(names);
});

test('a second click on a column turns it round, and the newest come first by default', () => {
  const byName = { column: 'name', direction: 'ascending' } as const;
  expect(nextSort(byName, 'name', downFirst)).toEqual({ column: 'name', direction: 'descending' });
  expect(nextSort(byName, 'created', downFirst)).toEqual({ column: 'created', direction: 'descending' });
});
