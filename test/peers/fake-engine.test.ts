import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { unixSocketDialer } from '../../client/dial.ts';
import { EngineClient } from '../../client/engine-client.ts';
import { engineClientSuite } from '../../client/engine-client.suite.ts';
import { startFakeEngine } from './fake-engine.ts';
import { archiveOf } from './fake-engine/archive.ts';

engineClientSuite('the fake engine', startFakeEngine);

it('knows the images of an archive that is loaded', async () => {
  await using engine = await startFakeEngine({ images: [] });
  using client = new EngineClient(unixSocketDialer(engine.path));
  const progress: unknown[] = [];
  for await (const message of await client.images.load(Readable.from([archiveOf(['hello:latest'])]))) {
    progress.push(message);
  }
  expect(progress).toEqual([{ stream: 'Loaded image: hello:latest\n' }]);
  expect((await client.images.list()).map(({ RepoTags }) => RepoTags)).toEqual([['hello:latest']]);
  await expect(client.images.load(Readable.from([Buffer.from('no tar')]))).rejects.toMatchObject({ statusCode: 400 });
});

it('cuts every connection and is there again', async () => {
  await using engine = await startFakeEngine();
  using client = new EngineClient(unixSocketDialer(engine.path));
  const events = await client.events();
  engine.disconnectAll();
  await expect(
    (async () => {
      for await (const _event of events);
    })(),
  ).rejects.toMatchObject({ code: 'lost' });
  expect(await client.info()).toMatchObject({ Containers: 0 });
});
