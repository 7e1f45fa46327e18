import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContextOf, DockerContexts } from './docker-context.ts';
import { contextName, dockerContexts } from './docker-context.ts';

let config: string;
let contexts: DockerContexts;
beforeEach(async () => {
  config = await mkdtemp(join(tmpdir(), 'skiff-docker-'));
  contexts = dockerContexts({ DOCKER_CONFIG: config });
});
afterEach(() => rm(config, { recursive: true, force: true }));

const machine: ContextOf = {
  name: 'default',
  folder: '/home/u/.skiff/machines/default',
  dockerHost: 'unix:///run/docker.sock',
};
const metaOf = (context: string): string =>
  join(config, 'contexts', 'meta', createHash('sha256').update(context).digest('hex'), 'meta.json');

describe('the docker context of a machine', () => {
  it.each([
    ['default', 'skiff'],
    ['web', 'skiff-web'],
  ])('of %s is called %s', (name, expected) => {
    expect(contextName(name)).toBe(expected);
  });

  it("stands where docker's CLI looks for it, in its own form", async () => {
    expect(await contexts.provide(machine)).toBe('skiff');
    expect(JSON.parse(await readFile(metaOf('skiff'), 'utf8'))).toEqual({
      Name: 'skiff',
      Metadata: { Description: 'Skiff machine "default"', SkiffMachine: machine.folder },
      Endpoints: { docker: { Host: 'unix:///run/docker.sock', SkipTLSVerify: false } },
    });
  });

  it('is brought up to date when it is provided again', async () => {
    await contexts.provide(machine);
    await contexts.provide({ ...machine, dockerHost: 'unix:///elsewhere.sock' });
    expect(await readFile(metaOf('skiff'), 'utf8')).toContain('unix:///elsewhere.sock');
  });

  it.each([
    ['made by hand', JSON.stringify({ Name: 'skiff', Metadata: {}, Endpoints: {} })],
    [
      'of a machine in another home',
      JSON.stringify({ Name: 'skiff', Metadata: { SkiffMachine: '/other' }, Endpoints: {} }),
    ],
    ['that cannot be read', '{'],
  ])('is left alone when there is one %s', async (_what, text) => {
    await mkdir(join(metaOf('skiff'), '..'), { recursive: true });
    await writeFile(metaOf('skiff'), text);
    expect(await contexts.provide(machine)).toBeNull();
    await contexts.remove(machine);
    expect(await readFile(metaOf('skiff'), 'utf8')).toBe(text);
  });

  it('goes with the machine, also twice, and others stay', async () => {
    await contexts.provide(machine);
    await contexts.provide({ ...machine, name: 'web', folder: '/home/u/.skiff/machines/web' });
    await contexts.remove(machine);
    await contexts.remove(machine);
    expect(await readdir(join(config, 'contexts', 'meta'))).toHaveLength(1);
  });

  it("stops being the current one when it goes; the rest of docker's settings stays", async () => {
    await contexts.provide(machine);
    const settings = { auths: { registry: { auth: 'secret' } }, currentContext: 'skiff' };
    await writeFile(join(config, 'config.json'), JSON.stringify(settings));
    await contexts.remove(machine);
    expect(JSON.parse(await readFile(join(config, 'config.json'), 'utf8'))).toEqual({ auths: settings.auths });
  });

  it('leaves another current context as it is', async () => {
    await contexts.provide(machine);
    const text = '{"currentContext":"work"}';
    await writeFile(join(config, 'config.json'), text);
    await contexts.remove(machine);
    expect(await readFile(join(config, 'config.json'), 'utf8')).toBe(text);
  });
});
