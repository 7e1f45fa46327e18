import { readdirSync } from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endOfArchive } from '../../../api/tar/writer.ts';
import { startHostileRegistry, type HostileRegistry } from '../../peers/hostile-registry.ts';
import { type RunningRegistry, startRegistry } from '../../peers/registry.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { docker, eventually } from '../docker.ts';
import { pastEvents } from '../event-log.ts';
import { directory, file, loadImage } from '../made-image.ts';
import { hostArchitecture, putImage, putIndex } from '../registry-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';
import { pull, push, startPull, states } from '../transfer.ts';

interface Inspected {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Architecture: string;
}

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: pull and push', () => {
  let engine: RunningEngine;
  let registry: RunningRegistry;
  let hostile: HostileRegistry;
  beforeAll(async () => {
    [engine, registry, hostile] = await Promise.all([startEngine(), startRegistry(), startHostileRegistry()]);
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await Promise.all([registry[Symbol.asyncDispose](), hostile[Symbol.asyncDispose]()]);
  });

  const inspect = async (name: string): Promise<Inspected> =>
    (await call(engine.socket, 'GET', `/images/${name}/json`)).json() as Inspected;
  const remove = (name: string): Promise<unknown> => call(engine.socket, 'DELETE', `/images/${name}?force=1`);
  const short = (digest: string): string => digest.slice(7, 19);
  const app = (): string => `${registry.host}/team/app`;
  const one = (text: string): readonly Buffer[] => [directory('data/'), file('data/text', text)];

  describe('references', () => {
    it.each([
      ['library-less', 'library-less:latest', null],
      ['docker.io/library/folded', 'folded:latest', null],
      ['index.docker.io/team/folded', 'team/folded:latest', null],
      ['localhost/x', 'localhost/x:latest', null],
      ['host.example/x', 'host.example/x:latest', null],
      ['host:5000/x', 'host:5000/x:latest', null],
      ['Upper/x', 'Upper/x:latest', null],
      ['lower/Upper', null, 'repository name (lower/Upper) must be lowercase'],
      ['a'.repeat(64), null, 'cannot specify 64-byte hexadecimal strings'],
    ])('85: %s is %s', async (written, shown, refusal) => {
      const answer = await call(engine.socket, 'POST', `/images/hello/tag?repo=${written}`);
      if (shown === null) {
        expect(answer).toMatchObject({ status: 400, text: expect.stringContaining(refusal) as string });
        return;
      }
      expect(answer.status).toBe(201);
      expect((await inspect('hello')).RepoTags).toContain(shown);
      await remove(shown);
    });

    it('86: a tag may be a digest, a digest beats a tag, and neither means all tags', async () => {
      const [first, second] = [
        await putImage(app(), 'first', { layers: [one('1')] }),
        await putImage(app(), 'second', { layers: [one('1'), one('2')] }),
      ];
      const byDigest = await pull(engine.socket, app(), { tag: first.digest });
      expect(byDigest.told.map(({ status }) => status)).toContain(
        `Status: Downloaded newer image for ${app()}@${first.digest}`,
      );
      expect(await inspect(`${app()}@${first.digest}`)).toMatchObject({
        Id: first.config,
        RepoTags: [],
        RepoDigests: [`${app()}@${first.digest}`],
      });
      const both = await pull(engine.socket, `${app()}:first@${second.digest}`);
      expect(both.error).toBeNull();
      expect((await inspect(`${app()}:first@${second.digest}`)).Id).toBe(second.config);
      const all = await pull(engine.socket, app());
      expect(all.told.filter(({ status }) => status === `Pulling from team/app`).map(({ id }) => id)).toEqual([
        'first',
        'second',
      ]);
      expect(all.told.at(-1)?.status).toBe(`Status: Downloaded newer image for ${app()}`);
      expect((await inspect(`${app()}:first`)).Id).toBe(first.config);
      expect((await inspect(`${app()}:second`)).Id).toBe(second.config);
      expect((await pull(engine.socket, app(), { tag: 'bad!' })).status).toBe(400);
      for (const name of [`${app()}:first`, `${app()}:second`]) await remove(name);
    });

    it('86: what is not there has the status and the words that clients know', async () => {
      expect(await pull(engine.socket, app(), { tag: 'none' })).toMatchObject({
        status: 404,
        error: `manifest for ${app()}:none not found: manifest unknown: manifest unknown`,
      });
      expect((await pull(engine.socket, `${registry.host}/nobody`)).status).toBe(404);
      expect(await push(engine.socket, `${registry.host}/nobody`, '1')).toMatchObject({
        status: 200,
        error: `An image does not exist locally with the tag: ${registry.host}/nobody`,
      });
    });
  });

  describe('platforms', () => {
    it('88: of an index, the image of this platform or of the one that was asked for', async () => {
      const foreign = hostArchitecture === 'arm64' ? 'amd64' : 'arm64';
      const own = await putImage(app(), null, { layers: [one('own')], form: 'oci' });
      const other = await putImage(app(), null, { layers: [one('other')], form: 'oci', architecture: foreign });
      const index = await putIndex(app(), 'many', { [`linux/${hostArchitecture}`]: own, [`linux/${foreign}`]: other });
      expect((await pull(engine.socket, app(), { tag: 'many' })).error).toBeNull();
      expect(await inspect(`${app()}:many`)).toMatchObject({
        Id: own.config,
        Architecture: hostArchitecture,
        RepoDigests: [`${app()}@${index}`],
      });
      const asked = await pull(engine.socket, app(), { tag: 'many', platform: `linux/${foreign}` });
      expect(asked.error).toBeNull();
      expect(await inspect(`${app()}:many`)).toMatchObject({ Id: other.config, Architecture: foreign });
      expect(await pull(engine.socket, app(), { tag: 'many', platform: 'linux/s390x' })).toMatchObject({
        status: 200,
        error: 'no matching manifest for linux/s390x in the manifest list entries',
      });
      expect((await pull(engine.socket, app(), { tag: 'many', platform: 'no such' })).status).toBe(400);
      // As dockerd: what has no index is pulled whatever was asked for, with a warning.
      await putImage(app(), 'single', { layers: [one('own')] });
      const single = await pull(engine.socket, app(), { tag: 'single', platform: `linux/${foreign}` });
      expect(single.told.at(-1)?.status).toBe(
        `WARNING: image with reference ${app()}:single was found but its platform (linux/${hostArchitecture}) does not match the specified platform (linux/${foreign})`,
      );
      for (const id of [own.config, other.config, `${app()}:single`]) await remove(id);
    });
  });

  describe('pulls', () => {
    it('95: a moved tag leaves the old image without a name; a second pull changes nothing', async () => {
      const old = await putImage(app(), 'moving', { layers: [one('base'), one('old')] });
      const first = await pull(engine.socket, app(), { tag: 'moving' });
      expect(states(first.told, short(old.layers[0] ?? ''))).toEqual([
        'Pulling fs layer',
        'Downloading',
        'Verifying Checksum',
        'Download complete',
        'Extracting',
        'Pull complete',
      ]);
      const fresh = await putImage(app(), 'moving', { layers: [one('base'), one('new')] });
      const second = await pull(engine.socket, app(), { tag: 'moving' });
      expect(states(second.told, short(old.layers[0] ?? ''))).toEqual(['Already exists']);
      expect(await inspect(old.config)).toMatchObject({ RepoTags: [] });
      expect(await inspect(`${app()}:moving`)).toMatchObject({ Id: fresh.config });
      const third = await pull(engine.socket, app(), { tag: 'moving' });
      expect(third.told.map(({ status }) => status)).toEqual([
        'Pulling from team/app',
        `Digest: ${fresh.digest}`,
        `Status: Image is up to date for ${app()}:moving`,
      ]);
      const events = await pastEvents(engine.socket, { type: ['image'], event: ['pull'] });
      expect(events.at(-1)).toMatchObject({
        Actor: { ID: `${app()}:moving`, Attributes: { name: app() } },
      });
      for (const id of [old.config, fresh.config]) await remove(id);
    });

    const dripped = (tag: string, everyMs: number): { name: string; layer: string; bytes: number } => {
      hostile.calm();
      const name = `${hostile.host}/app`;
      const { layers } = hostile.addImage(tag, [Buffer.concat([file('noise', randomBytes(600_000)), endOfArchive])]);
      const layer = layers[0] ?? '';
      hostile.rule({ path: new RegExp(`/blobs/${layer}$`), act: { kind: 'drip', bytes: 20_000, everyMs } });
      return { name, layer, bytes: hostile.blobs.get(layer)?.length ?? 0 };
    };
    const asked = (layer: string): readonly { range: string | undefined; sentBytes: number }[] =>
      hostile.requests.filter(({ path, method }) => method === 'GET' && path.endsWith(`/blobs/${layer}`));

    it('95: pulls at the same time share a download, and one that is left does not end the other', async () => {
      const { name, layer, bytes } = dripped('shared', 60);
      const [leaving, staying] = [startPull(engine.socket, name, 'shared'), startPull(engine.socket, name, 'shared')];
      for (const client of [leaving, staying]) await client.seen(({ status }) => status === 'Downloading');
      leaving.leave();
      await leaving.ended;
      expect((await staying.ended).at(-1)?.status).toBe(`Status: Downloaded newer image for ${name}:shared`);
      expect(asked(layer).map(({ sentBytes }) => sentBytes)).toEqual([bytes]);
      await remove(`${name}:shared`);
    });

    it('95: the last to leave ends the download, and the next pull goes on where it stopped', async () => {
      const { name, layer, bytes } = dripped('cut', 150);
      const client = startPull(engine.socket, name, 'cut');
      await client.seen(({ progressDetail }) => (progressDetail?.current ?? 0) >= 100_000);
      client.leave();
      const ingests = path.join(engine.dataRoot, 'content/ingest');
      await eventually('the download has ended', () => (hostile.open() === 0 ? true : null));
      expect(readdirSync(ingests)).toEqual([layer.slice(7)]);
      expect(await call(engine.socket, 'GET', `/images/${name}:cut/json`)).toMatchObject({ status: 404 });
      hostile.calm();
      const again = await pull(engine.socket, name, { tag: 'cut' });
      expect(again.told.at(-1)?.status).toBe(`Status: Downloaded newer image for ${name}:cut`);
      const [resumed] = asked(layer);
      expect(Number(/^bytes=(\d+)-$/.exec(resumed?.range ?? '')?.[1])).toBeGreaterThanOrEqual(100_000);
      expect(resumed?.sentBytes).toBeLessThanOrEqual(bytes - 100_000);
      expect(readdirSync(ingests)).toEqual([]);
      await remove(`${name}:cut`);
    });
  });

  describe('pushes', () => {
    it('96, 87: what was pulled keeps its digest, and its layers are mounted from where they were', async () => {
      const image = await putImage(app(), 'kept', { layers: [one('a'), one('b')], form: 'oci' });
      await pull(engine.socket, app(), { tag: 'kept' });
      const copy = `${registry.host}/team/copy`;
      await call(engine.socket, 'POST', `/images/${app()}:kept/tag?repo=${copy}&tag=1`);
      const { told, error } = await push(engine.socket, copy, '1');
      expect(error).toBeNull();
      expect(told.filter(({ status }) => status === 'Mounted from team/app')).toHaveLength(2);
      expect(told.at(-1)?.aux).toEqual({ Tag: '1', Digest: image.digest, Size: image.sizeBytes });
      expect((await inspect(`${copy}:1`)).RepoDigests).toEqual([`${app()}@${image.digest}`, `${copy}@${image.digest}`]);
      const again = await push(engine.socket, copy, '1');
      expect(again.told.filter(({ status }) => status === 'Layer already exists')).toHaveLength(2);
      const events = await pastEvents(engine.socket, { type: ['image'], event: ['push'] });
      expect(events.at(-1)).toMatchObject({ Actor: { ID: `${copy}:1`, Attributes: { name: copy } } });
      for (const name of [`${copy}:1`, `${app()}:kept`]) await remove(name);
    });

    it('a layer goes up once, however many pushes bring it at the same time', async () => {
      const names = ['team/here', 'team/there', 'team/here'].map((path, index) => `${registry.host}/${path}:${index}`);
      const [first = '', ...others] = names;
      await loadImage(engine.socket, first, { layer: [file('noise', randomBytes(4 * 1024 * 1024))] });
      for (const name of others) await docker(engine.socket, ['tag', first, name]);
      const pushes = await Promise.all(names.map((name) => docker(engine.socket, ['push', name])));
      expect(pushes.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
      const ends = pushes.flatMap(({ stdout }) => stdout.match(/: (Pushed|Mounted from|Layer already exists)/g) ?? []);
      // Two layers, three times.
      expect(ends).toHaveLength(6);
      expect(ends.filter((end) => end === ': Pushed')).toHaveLength(2);
      expect(new Set(pushes.map(({ stdout }) => /digest: (\S+)/.exec(stdout)?.[1])).size).toBe(1);
      for (const name of names) await remove(name);
    });

    it('89: a layer whose blob is not there any more is packed again, and pulls back as it was', async () => {
      const name = `${registry.host}/team/hello`;
      await call(engine.socket, 'POST', `/images/hello/tag?repo=${name}&tag=1`);
      const { Id } = await inspect('hello');
      const { told, error } = await push(engine.socket, name, '1');
      expect(error).toBeNull();
      expect(told.some(({ status }) => status === 'Pushed')).toBe(true);
      const digest = told.at(-1)?.aux?.Digest ?? '';
      expect((await inspect(`${name}:1`)).RepoDigests).toContain(`${name}@${digest}`);
      await remove(`${name}:1`);
      expect((await pull(engine.socket, name, { tag: '1' })).error).toBeNull();
      expect((await inspect(`${name}:1`)).Id).toBe(Id);
      await remove(`${name}:1`);
    });
  });

  describe('the docker CLI', () => {
    it('runs an image that is not there, pushes what it made, and pulls it back by digest', async () => {
      const name = `${registry.host}/team/cli`;
      await docker(engine.socket, ['tag', 'hello', `${name}:1`]);
      const pushed = await docker(engine.socket, ['push', `${name}:1`]);
      expect(pushed).toMatchObject({ exitCode: 0, stderr: '' });
      const digest = /1: digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(pushed.stdout)?.[1] ?? '';
      await docker(engine.socket, ['rmi', `${name}:1`]);
      const ran = await docker(engine.socket, ['run', '--rm', `${name}:1`, 'echo', 'from afar']);
      expect(ran).toMatchObject({ exitCode: 0, stdout: 'from afar\n' });
      expect(ran.stderr).toContain(`Unable to find image '${name}:1' locally`);
      expect(ran.stderr).toContain(`Status: Downloaded newer image for ${name}:1`);
      await docker(engine.socket, ['rmi', `${name}:1`]);
      const pulled = await docker(engine.socket, ['pull', '-q', `${name}@${digest}`]);
      expect(pulled).toMatchObject({ exitCode: 0, stdout: `${name}@${digest}\n` });
      await docker(engine.socket, ['rmi', `${name}@${digest}`]);
      const absent = await docker(engine.socket, ['pull', `${name}:2`]);
      expect(absent).toMatchObject({ exitCode: 1 });
      expect(absent.stderr).toContain(`manifest for ${name}:2 not found: manifest unknown`);
    });
  });
});
