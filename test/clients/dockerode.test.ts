import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningEngine, startEngine } from '../engine/start-engine.ts';
import { describeWith } from '../skip.ts';

describeWith(['linux', 'root'], 'dockerode on skiffd', () => {
  let engine: RunningEngine;
  let client: Dockerode;

  beforeAll(async () => {
    engine = await startEngine();
    client = new Dockerode({ socketPath: engine.socket });
  });

  afterAll(() => engine?.[Symbol.asyncDispose]());

  it('answers ping, version and info', async () => {
    expect(String(await client.ping())).toBe('OK');
    expect(await client.version()).toMatchObject({ Os: 'linux', ApiVersion: '1.55' });
    expect(await client.info()).toMatchObject({ OSType: 'linux' });
  });

  it('runs a container and hands its output and its exit code over', async () => {
    const output = new PassThrough();
    const said = text(output);
    const [result] = (await client.run('hello', ['sh', '-c', 'echo out; exit 3'], output, {
      Tty: true,
    })) as unknown as [{ StatusCode: number }];
    expect(result.StatusCode).toBe(3);
    output.end();
    expect(await said).toBe('out\r\n');
    await client.pruneContainers();
    expect(await client.listContainers({ all: true })).toEqual([]);
  });

  it('attaches before the start and separates output from errors', async () => {
    const container = await client.createContainer({
      Image: 'hello',
      Cmd: ['sh', '-c', 'read line; echo "got $line"; echo oops >&2'],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    container.modem.demuxStream(stream, stdout, stderr);
    stream.once('end', () => [stdout, stderr].forEach((end) => end.end()));
    const said = Promise.all([text(stdout), text(stderr)]);
    await container.start();
    stream.write('a line\n');
    stream.end();
    expect(await said).toEqual(['got a line\n', 'oops\n']);
    expect(await container.wait()).toMatchObject({ StatusCode: 0 });
    await container.remove();
  });

  it('executes, follows logs, lists processes, takes figures, changes limits', async () => {
    const container = await client.createContainer({
      Image: 'hello',
      name: 'busy',
      Cmd: ['sh', '-c', 'echo first; exec sleep 600'],
      Labels: { kind: 'test' },
    });
    await container.start();
    const exec = await container.exec({ Cmd: ['sh', '-c', 'echo inside; exit 5'], AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: false });
    const output = new PassThrough();
    container.modem.demuxStream(stream, output, output);
    stream.once('end', () => output.end());
    expect(await text(output)).toBe('inside\n');
    expect(await exec.inspect()).toMatchObject({ ExitCode: 5, Running: false });
    expect(await container.logs({ stdout: true, tail: 1 })).toEqual(Buffer.from('\x01\0\0\0\0\0\0\x06first\n'));
    expect((await container.top()).Processes).toHaveLength(1);
    expect(await container.stats({ stream: false })).toMatchObject({ name: '/busy' });
    await container.update({ Memory: 64 << 20, MemorySwap: 128 << 20 });
    expect((await container.inspect()).HostConfig.Memory).toBe(64 << 20);
    await container.rename({ name: 'busier' });
    expect((await client.listContainers({ filters: { label: ['kind=test'] } }))[0]?.Names).toEqual(['/busier']);
    await container.remove({ force: true });
  });

  it('makes networks and volumes, joins containers to them, and removes them', async () => {
    const network = await client.createNetwork({ Name: 'sea', CheckDuplicate: true });
    const volume = await client.createVolume({ Name: 'hold' });
    expect(volume.name).toBe('hold');
    const container = await client.createContainer({
      Image: 'hello',
      Cmd: ['sleep', '600'],
      HostConfig: { NetworkMode: 'sea', Binds: ['hold:/hold'] },
    });
    await container.start();
    expect(Object.keys((await container.inspect()).NetworkSettings.Networks)).toEqual(['sea']);
    await expect(network.remove()).rejects.toMatchObject({ statusCode: 403 });
    expect(Object.values(((await network.inspect()) as { Containers: object }).Containers)).toHaveLength(1);
    await expect(volume.remove()).rejects.toMatchObject({ statusCode: 409 });
    await container.remove({ force: true });
    await network.remove();
    await volume.remove();
  });

  it('puts files in, gets them out, exports and tells what has changed', async () => {
    const container = await client.createContainer({ Image: 'hello', Cmd: ['true'] });
    const archive = await text(await container.getArchive({ path: '/bin/sh' }));
    expect(archive.length).toBeGreaterThan(0);
    expect((await text(await container.export())).length).toBeGreaterThan(0);
    // Its client takes `null` for no answer at all, on dockerd too.
    expect(String(await container.changes())).toBe('null\n');
    await container.remove();
  });

  it('streams events as they happen', async () => {
    const events = (await client.getEvents({ filters: { event: ['create', 'destroy'] } })) as unknown as PassThrough;
    const seen: string[] = [];
    const both = new Promise<void>((resolve) =>
      events.on('data', (chunk: Buffer) => {
        for (const line of chunk.toString().trim().split('\n'))
          seen.push((JSON.parse(line) as { Action: string }).Action);
        if (seen.length === 2) resolve();
      }),
    );
    await (await client.createContainer({ Image: 'hello' })).remove();
    await both;
    expect(seen).toEqual(['create', 'destroy']);
    events.destroy();
  });
});
