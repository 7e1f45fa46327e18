/** testcontainers, as people's own tests use it. Its reaper is an image that no registry gives here: `made-reaper.ts` stands in for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type * as Testcontainers from 'testcontainers';
import { type RunningEngine, startEngine } from '../engine/start-engine.ts';
import { call } from '../engine/api.ts';
import { startProgram } from '../peers/program.ts';
import { describeWith } from '../skip.ts';
import { loadReaper } from './made-reaper.ts';

const server = 'echo starting; echo page > /tmp/index.html; httpd -p 8080 -h /tmp; echo ready; exec sleep 600';

describeWith(['linux', 'root', { program: 'curl' }], 'testcontainers on skiffd', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'testcontainers-'));
  const before = { ...process.env };
  let engine: RunningEngine;
  let lib: typeof Testcontainers;

  beforeAll(async () => {
    engine = await startEngine();
    process.env['DOCKER_HOST'] = `unix://${engine.socket}`;
    process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
    // Read at its import.
    lib = await import('testcontainers');
  });

  afterAll(async () => {
    process.env = before;
    await engine?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('starts a container and waits for a line of its log', async () => {
    const container = await new lib.GenericContainer('hello')
      .withCommand(['sh', '-c', server])
      .withExposedPorts(8080)
      .withWaitStrategy(lib.Wait.forLogMessage('ready'))
      .start();
    const page = await fetch(`http://${container.getHost()}:${container.getMappedPort(8080)}/`);
    expect(await page.text()).toBe('page\n');
    expect(await container.exec(['echo', 'inside'])).toMatchObject({ exitCode: 0, stdout: 'inside\n' });
    await container.stop();
  });

  it('waits for a port and for an answer by HTTP', async () => {
    const container = await new lib.GenericContainer('hello')
      .withCommand(['sh', '-c', server])
      .withExposedPorts(8080)
      .withWaitStrategy(lib.Wait.forAll([lib.Wait.forListeningPorts(), lib.Wait.forHttp('/', 8080).forStatusCode(200)]))
      .start();
    await container.stop();
  });

  it('waits for health', async () => {
    const container = await new lib.GenericContainer('hello')
      .withCommand(['sh', '-c', 'usleep 300000; touch /tmp/ok; exec sleep 600'])
      .withHealthCheck({ test: ['CMD', 'test', '-e', '/tmp/ok'], interval: 200, retries: 20, timeout: 60_000 })
      .withWaitStrategy(lib.Wait.forHealthCheck())
      .start();
    await container.stop();
  });

  it('says so when what it waits for never comes, and leaves no container', async () => {
    const starting = new lib.GenericContainer('hello')
      .withCommand(['sh', '-c', 'echo something else; exec sleep 600'])
      .withWaitStrategy(lib.Wait.forLogMessage('ready').withStartupTimeout(500))
      .start();
    await expect(starting).rejects.toThrow('ready');
  });

  it('joins containers by a network and its aliases', async () => {
    await using network = await new lib.Network().start();
    await using web = await new lib.GenericContainer('hello')
      .withCommand(['sh', '-c', server])
      .withNetwork(network)
      .withNetworkAliases('web')
      .withWaitStrategy(lib.Wait.forLogMessage('ready'))
      .start();
    await using other = await new lib.GenericContainer('hello')
      .withCommand(['sleep', '600'])
      .withNetwork(network)
      .start();
    expect(web.getId()).not.toBe(other.getId());
    expect((await other.exec(['wget', '-qO-', 'http://web:8080/'])).output).toBe('page\n');
  });

  it('copies files and content in before the start, and an archive out', async () => {
    writeFileSync(path.join(folder, 'file'), 'from a file');
    await using container = await new lib.GenericContainer('hello')
      .withCopyFilesToContainer([{ source: path.join(folder, 'file'), target: '/srv/file' }])
      .withCopyContentToContainer([{ content: 'from memory', target: '/srv/content' }])
      .withCommand(['sh', '-c', 'cat /srv/file /srv/content; echo; exec sleep 600'])
      .withWaitStrategy(lib.Wait.forLogMessage('from a filefrom memory'))
      .start();
    expect(await text(await container.copyArchiveFromContainer('/srv/content'))).toContain('from memory');
  });

  it('gives environment, user, working folder, tmpfs, limits, labels, and a name', async () => {
    await using container = await new lib.GenericContainer('hello')
      .withName(`named-${process.pid}`)
      .withEnvironment({ COLOUR: 'green' })
      .withUser('65534')
      .withWorkingDir('/tmp')
      .withTmpFs({ '/scratch': 'rw,size=1m' })
      .withResourcesQuota({ memory: 0.1 })
      .withLabels({ made: 'here' })
      .withCommand(['sh', '-c', 'echo $COLOUR $(id -u) $(pwd); exec sleep 600'])
      .withWaitStrategy(lib.Wait.forLogMessage('green 65534 /tmp'))
      .start();
    expect(container.getLabels()).toMatchObject({ made: 'here' });
    await container.restart();
  });

  it('has its reaper remove what a killed program of tests has left', async () => {
    await loadReaper(engine.socket, 'made-reaper');
    const environment = { TESTCONTAINERS_RYUK_DISABLED: 'false', RYUK_CONTAINER_IMAGE: 'made-reaper' };
    await using client = startProgram(
      process.execPath,
      [fileURLToPath(new URL('./reaped-client.ts', import.meta.url))],
      {
        environment,
      },
    );
    const made = /made (\w+) (\w+)\n/;
    await client.shows(made, 60_000);
    client.kill('SIGKILL');
    const [, container, network] = made.exec((await client.ended).stdout) ?? [];
    const status = async (where: string): Promise<number> => (await call(engine.socket, 'GET', where)).status;
    await expect.poll(() => status(`/containers/${container}/json`), { timeout: 60_000 }).toBe(404);
    await expect.poll(() => status(`/networks/${network}`), { timeout: 60_000 }).toBe(404);
  });
});
