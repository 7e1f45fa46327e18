/** skiffd ends with KILL where a volume, or a container with volumes, is half made or half removed: each is whole or gone afterwards. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { directory, file, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface Scenario {
  readonly point: string;
  /** `container`: one is there already, made with an anonymous and a named volume. */
  readonly before: 'nothing' | 'container' | 'volume';
  readonly act: readonly [method: string, path: string, body?: object];
  /** Names of volumes afterwards; `#` stands for an anonymous one. */
  readonly volumes: readonly string[];
  readonly hasContainer: boolean;
}

const body = {
  Image: 'filled',
  Cmd: ['true'],
  Volumes: { '/data': {} },
  HostConfig: { Binds: ['named:/data2'] },
};
const create = ['POST', '/containers/create?name=victim', body] as const;
const remove = ['DELETE', '/containers/victim?v=1'] as const;

const scenarios: readonly Scenario[] = [
  {
    point: 'volume:written',
    before: 'nothing',
    act: ['POST', '/volumes/create', { Name: 'named' }],
    volumes: ['named'],
    hasContainer: false,
  },
  { point: 'volume:removing', before: 'volume', act: ['DELETE', '/volumes/named'], volumes: [], hasContainer: false },
  { point: 'volume:aside', before: 'volume', act: ['DELETE', '/volumes/named'], volumes: [], hasContainer: false },
  { point: 'create:begun', before: 'nothing', act: create, volumes: [], hasContainer: false },
  { point: 'volume:written', before: 'nothing', act: create, volumes: ['named'], hasContainer: false },
  { point: 'create:done', before: 'nothing', act: create, volumes: ['named'], hasContainer: false },
  { point: 'remove:begun', before: 'container', act: remove, volumes: ['named'], hasContainer: false },
  { point: 'volume:removing', before: 'container', act: remove, volumes: ['named'], hasContainer: false },
  { point: 'remove:done', before: 'container', act: remove, volumes: ['named'], hasContainer: false },
  {
    point: 'remove:done',
    before: 'container',
    act: ['DELETE', '/containers/victim'],
    volumes: ['#', 'named'],
    hasContainer: false,
  },
];

describeWith(['linux', 'root', { program: 'crun' }], 'skiffd killed while it makes or removes volumes', () => {
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine();
    const layer = [directory('data/'), file('data/f', 'from the image'), directory('data2/')];
    await loadImage(engine.socket, 'filled', { layer });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const api = (method: string, url: string, given?: object): Promise<Answer> => call(engine.socket, method, url, given);
  const volumes = async (): Promise<readonly { readonly Name: string; readonly Mountpoint: string }[]> =>
    ((await api('GET', '/volumes')).json() as { Volumes: { Name: string; Mountpoint: string }[] }).Volumes;
  const folder = (): string => path.join(engine.dataRoot, 'volumes');

  beforeEach(async () => {
    await api('DELETE', '/containers/victim?force=1&v=1');
    await api('POST', `/volumes/prune?filters=${encodeURIComponent('{"all":["1"]}')}`);
    expect(await volumes()).toEqual([]);
    expect(readdirSync(folder())).toEqual([]);
  });

  it.each(scenarios)('at $point of $act', async ({ point, before, act, volumes: expected, hasContainer }) => {
    if (before === 'container') expect((await api(...create)).status).toBe(201);
    if (before === 'volume') await api('POST', '/volumes/create', { Name: 'named' });
    engine.dieAt(point);
    await expect(api(...act)).rejects.toThrow(); // nobody is there to answer
    await engine.crash();
    await engine.start();
    const left = await volumes();
    expect(left.map(({ Name }) => (Name.length === 64 ? '#' : Name)).sort()).toEqual(expected);
    expect(readdirSync(folder()).sort()).toEqual(left.map(({ Name }) => Name).sort());
    expect(left.every(({ Mountpoint }) => existsSync(Mountpoint))).toBe(true);
    expect((await api('GET', '/containers/victim/json')).status).toBe(hasContainer ? 200 : 404);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(`${engine.dataRoot}/`);
    // And everything can be made anew.
    expect((await api(...create)).status).toBe(201);
  });
});
