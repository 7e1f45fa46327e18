import { describe, expect, it } from 'vitest';
import { type DesktopCore, FollowedList, openDesktopCore } from '../../../test/peers/desktop-core.ts';
import type { Image, ImageKey, Pull } from '../../contract/images.ts';
import { afterMessage, fractionOf } from './pulls.ts';

const machine = 'default';
const open = (): Promise<DesktopCore> => openDesktopCore({ prepare: (machines) => machines.add(machine) });

function followImages({ client }: DesktopCore): FollowedList<Image, ImageKey> {
  return new FollowedList(
    (signal) => client.images.watch({}, { signal }),
    ({ machine: on, id }) => ({ machine: on, id }),
  );
}

function followPulls({ client }: DesktopCore): FollowedList<Pull, string> {
  return new FollowedList(
    (signal) => client.images.pulls({}, { signal }),
    ({ id }) => id,
  );
}

const has = (name: string) => (rows: readonly Image[]) => rows.some(({ names }) => names.includes(name));

describe('images of all machines', () => {
  it('follow what the engine tells', async () => {
    await using desktop = await open();
    await using list = followImages(desktop);
    await list.until(has('hello:latest'));
    await desktop.client.images.pull({ machine, image: 'nginx' });
    await list.until(has('nginx:latest'));
    await desktop.client.images.remove({ machine, image: 'nginx' });
    await list.until((rows) => !has('nginx:latest')(rows));
    expect(desktop.faults).toEqual([]);
  });

  it('are pulled by the core: once for all who ask, until somebody cancels it', async () => {
    await using desktop = await open();
    await using pulls = followPulls(desktop);
    await using list = followImages(desktop);
    await list.until(has('hello:latest'));
    const [one, two] = await Promise.all([
      desktop.client.images.pull({ machine, image: 'slow' }),
      desktop.client.images.pull({ machine, image: 'docker.io/library/slow:latest' }),
    ]);
    expect(two.id).toBe(one.id);
    const pull = await pulls.until((rows) => rows.find(({ layers }) => layers.length === 2));
    expect(pull).toMatchObject({ reference: 'slow:latest', state: 'running', status: 'Pulling from slow' });
    expect(pull.layers[1]).toEqual({ id: 'ba9876543210', status: 'Downloading', doneBytes: 5, totalBytes: 10 });
    await desktop.client.images.cancelPull({ id: one.id });
    await pulls.until((rows) => rows.some(({ state }) => state === 'cancelled'));
  });

  it('say why a pull failed, in the words of the engine', async () => {
    await using desktop = await open();
    await using pulls = followPulls(desktop);
    await using list = followImages(desktop);
    await list.until(has('hello:latest'));
    await desktop.client.images.pull({ machine, image: 'missing' });
    const failed = await pulls.until((rows) => rows.find(({ state }) => state === 'failed'));
    expect(failed.error?.message).toContain('pull access denied for missing');
  });

  it('refuse what is no name of an image', async () => {
    await using desktop = await open();
    await using list = followImages(desktop);
    await list.until(has('hello:latest'));
    await expect(desktop.client.images.pull({ machine, image: 'Not/A/Name' })).rejects.toMatchObject({
      code: 'invalid-input',
    });
  });
});

const pull: Pull = {
  id: 'pull-1',
  machine,
  reference: 'nginx:latest',
  state: 'running',
  status: null,
  layers: [],
  fraction: null,
  startedAt: 0,
  error: null,
};

describe('what an engine says while it pulls', () => {
  it('becomes layers in the order in which they were named', () => {
    const said = [
      { status: 'Pulling from library/nginx', id: 'latest' },
      { status: 'Pulling fs layer', id: 'a' },
      { status: 'Pulling fs layer', id: 'b' },
      { status: 'Downloading', id: 'a', progressDetail: { current: 1, total: 4 } },
      { status: 'Status: Downloaded newer image for nginx:latest' },
    ];
    const after = said.reduce<Pull>((before, message) => ({ ...before, ...afterMessage(before, message) }), pull);
    expect(after.status).toBe('Status: Downloaded newer image for nginx:latest');
    expect(after.fraction).toBe(0.0625);
    expect(after.layers).toEqual([
      { id: 'a', status: 'Downloading', doneBytes: 1, totalBytes: 4 },
      { id: 'b', status: 'Pulling fs layer', doneBytes: null, totalBytes: null },
    ]);
  });

  it.each([
    ['Pulling fs layer', null, 0],
    ['Downloading', 2, 0.25],
    ['Download complete', null, 0.5],
    ['Extracting', 2, 0.75],
    ['Pull complete', null, 1],
    ['Already exists', null, 1],
  ])('%s %j is %d of a layer', (status, doneBytes, fraction) => {
    expect(fractionOf([{ id: 'a', status, doneBytes, totalBytes: doneBytes === null ? null : 4 }])).toBe(fraction);
  });

  it('is no fraction while no layer is known', () => expect(fractionOf([])).toBeNull());
});
