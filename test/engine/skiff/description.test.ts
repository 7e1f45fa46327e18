import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LateNeeds, lateRooms } from '../../../engine/http/late-rooms.ts';
import { Description } from '../../openapi/description.ts';
import { readYaml } from '../../openapi/read-yaml.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { docker } from '../docker.ts';
import { loadLayers } from '../layered-image.ts';
import { file, link } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const description = new Description(
  readYaml(readFileSync(path.resolve(import.meta.dirname, '../../../api/skiff-v1.yaml'), 'utf8')),
);
const documented = description.operations();

it('every endpoint below /skiff/v1 is described, and every one that is described is there', () => {
  // The table alone is asked for: no room is loaded, so none needs anything.
  const routes = lateRooms({} as LateNeeds).filter((route) => route.path.startsWith('/skiff/v1/'));
  const served = routes.map((route) => `${route.method} ${route.path.replaceAll(/[:*](\w+)/g, '{$1}')}`);
  expect(served.sort()).toEqual(documented.map((one) => `${one.method} /skiff/v1${one.path}`).sort());
});

it('no reference of the description leads nowhere', () => {
  const follow = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('$ref' in value) description.resolve(value);
    for (const item of Object.values(value)) follow(item);
  };
  follow(documented.map(({ body }) => body));
});

describeWith(['linux', 'root', { program: 'crun' }], 'answers are what the description says', () => {
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine();
    const layer = [file('a', 'one'), link('l', 'a'), file('caf\u00e9', 'x')];
    await loadLayers(engine.socket, { name: 'one', layers: [layer, [file('a', 'two')]] });
    await loadLayers(engine.socket, { name: 'two', layers: [layer], config: { Labels: { a: 'b' } } });
    await docker(engine.socket, ['volume', 'create', 'v']);
    await docker(engine.socket, ['run', '--name', 'box', 'hello', 'sh', '-c', 'echo a >/a']);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  it.each([
    ['GET', '/images/{name}/layers', '/images/one/layers', 200],
    ['GET', '/images/{name}/layers', '/images/none/layers', 404],
    ['GET', '/images/{name}/tree', '/images/one/tree?depth=5', 200],
    ['GET', '/images/{name}/tree', '/images/one/tree?view=layer', 200],
    ['GET', '/images/{name}/waste', '/images/one/waste', 200],
    ['GET', '/images/{name}/file', '/images/one/file?path=none', 404],
    ['GET', '/compare', '/compare?from=one&to=two', 200],
    ['POST', '/images/{name}/squash', '/images/one/squash?from=0&to=1&tag=three', 201],
    ['POST', '/images/{name}/flatten', '/images/two/flatten', 201],
    ['POST', '/containers/{id}/snapshots', '/containers/box/snapshots?name=s', 201],
    ['GET', '/containers/{id}/snapshots', '/containers/box/snapshots', 200],
    ['GET', '/containers/{id}/snapshots/{snapshot}/diff', '/containers/box/snapshots/s/diff', 200],
    ['POST', '/containers/{id}/snapshots/{snapshot}/rollback', '/containers/box/snapshots/s/rollback', 200],
    ['POST', '/containers/{id}/snapshots/{snapshot}/image', '/containers/box/snapshots/s/image?tag=snap', 201],
    ['POST', '/containers/{id}/snapshots/{snapshot}/container', '/containers/box/snapshots/s/container?name=box2', 201],
    ['DELETE', '/containers/{id}/snapshots/{snapshot}', '/containers/box/snapshots/none', 404],
    ['GET', '/disk', '/disk', 200],
    ['POST', '/disk/reclaim', '/disk/reclaim?kind=compressed-copies&kind=dangling-images&dryRun=1', 200],
    ['POST', '/disk/reclaim', '/disk/reclaim', 400],
  ])('%s %s: %s', async (method, described, asked, status) => {
    const answer = await call(engine.socket, method, `/skiff/v1${asked}`);
    expect(answer.status, answer.text).toBe(status);
    const schema = description.answerOf(method, described, status);
    expect(Object.keys(schema)).not.toEqual([]);
    expect(description.problems(schema, answer.json())).toEqual([]);
  });
});
