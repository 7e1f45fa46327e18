import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { connect, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EngineClient } from '../../client/engine-client.ts';
import { unixSocketDialer } from '../../client/dial.ts';
import { eventually } from '../../test/eventually.ts';
import type { TestSshd } from '../../test/peers/sshd.ts';
import { sshdProgram, startSshd } from '../../test/peers/sshd.ts';
import { describeWith } from '../../test/skip.ts';
import { freeLocalPort } from '../drivers/vm/local-port.ts';
import type { HostAgentState } from '../machines.ts';
import { connectSsh, pinnedTarget } from '../ssh/ssh-connection.ts';
import { readAgent } from './agent-state.ts';
import { runHostAgent } from './host-agent.ts';

interface FakeContainer {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly State: string;
  readonly Ports: readonly object[];
}

/** The part of an engine that an agent talks to; what it lists and tells is up to the test. */
class TinyEngine implements AsyncDisposable {
  containers: FakeContainer[] = [];
  readonly #server: Server;
  readonly #listeners = new Set<ServerResponse>();

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async listen(path: string): Promise<TinyEngine> {
    const engine = new TinyEngine();
    await new Promise<undefined>((resolve) => engine.#server.listen(path, () => resolve(undefined)));
    return engine;
  }

  tell(action: string, id: string): void {
    const event = {
      Type: 'container',
      Action: action,
      Actor: { ID: id, Attributes: {} },
      scope: 'local',
      time: 1,
      timeNano: 1,
    };
    for (const listener of this.#listeners) listener.write(`${JSON.stringify(event)}\n`);
  }

  start(container: FakeContainer): void {
    this.containers.push(container);
    this.tell('start', container.Id);
  }

  end(id: string): void {
    this.containers = this.containers.filter(({ Id }) => Id !== id);
    this.tell('die', id);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://engine');
    response.setHeader('Api-Version', '1.52').setHeader('Content-Type', 'application/json');
    if (url.pathname.endsWith('/_ping')) response.end('OK');
    else if (url.pathname.endsWith('/events')) {
      response.flushHeaders();
      this.#listeners.add(response);
      response.once('close', () => this.#listeners.delete(response));
    } else if (url.pathname.endsWith('/containers/json')) {
      const filters = JSON.parse(url.searchParams.get('filters') ?? '{}') as { id?: readonly string[] };
      const wanted = this.containers.filter(({ Id }) => filters.id === undefined || filters.id.includes(Id));
      response.end(JSON.stringify(wanted));
    } else response.writeHead(404).end('{"message":"not here"}');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

const container = (id: string, ports: readonly object[]): FakeContainer => ({
  Id: id,
  Names: [`/${id}`],
  State: 'running',
  Ports: ports,
});

describeWith(['linux', { program: sshdProgram }], 'a host agent', () => {
  let sshd: TestSshd;
  let engine: TinyEngine;
  let folder: string;
  let ending: AbortController;
  let agent: Promise<void>;
  let isMachineRunning: boolean;
  const log: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-agent-'));
    sshd = await startSshd();
    engine = await TinyEngine.listen(join(folder, 'engine.sock'));
    ending = new AbortController();
    isMachineRunning = true;
    log.length = 0;
    agent = runHostAgent({
      paths: { agentState: join(folder, 'agent.json'), dockerSocket: join(folder, 'docker.sock') },
      engineSocket: join(folder, 'engine.sock'),
      open: (how) =>
        isMachineRunning
          ? connectSsh(
              pinnedTarget({
                host: '127.0.0.1',
                port: sshd.port,
                user: sshd.user,
                privateKey: sshd.identity.privateKey,
                hostKey: sshd.hostKey.publicKey,
              }),
              how,
            )
          : Promise.resolve(null),
      log: (line) => log.push(line),
      signal: ending.signal,
    });
    await until('the agent is connected', (state) => state?.connection === 'ready');
    await eventually(() => engine.listenerCount).toBe(1);
  });

  afterEach(async () => {
    ending.abort();
    await agent;
    // Whatever a test did: no socket, no state, no temporary file.
    expect((await readdir(folder)).filter((name) => name !== 'engine.sock')).toEqual([]);
    await engine[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function until(what: string, isSo: (state: HostAgentState | null) => boolean): Promise<HostAgentState | null> {
    const read = async (): Promise<HostAgentState | null> =>
      (await readAgent({ agentState: join(folder, 'agent.json') }))?.state ?? null;
    return vi.waitFor(
      async () => {
        const state = await read();
        expect(isSo(state), `${what}; it says ${JSON.stringify(state)}`).toBe(true);
        return state;
      },
      { timeout: 30_000, interval: 20 },
    );
  }

  const client = (): EngineClient => new EngineClient(unixSocketDialer(join(folder, 'docker.sock')));

  it('serves the engine at a socket that is this user’s alone', async () => {
    using docker = client();
    await docker.ping();
    expect(await docker.containers.list()).toEqual([]);
    expect((await stat(join(folder, 'docker.sock'))).mode & 0o077).toBe(0);
  });

  it('carries a hundred requests at once through its one connection', async () => {
    const clients = Array.from({ length: 100 }, () => client());
    await Promise.all(clients.map((docker) => docker.ping()));
    for (const docker of clients) docker[Symbol.dispose]();
  });

  it('opens a published port on localhost, and closes it when the container ends', async () => {
    const backend = createNetServer((socket) => socket.end('hello from inside'));
    // Free at 127.0.0.1, too, where the agent opens it.
    const port = await freeLocalPort(null);
    await new Promise<undefined>((resolve) => backend.listen(port, '127.0.0.2', () => resolve(undefined)));
    engine.start(container('web', [{ IP: '127.0.0.2', PrivatePort: 80, PublicPort: port, Type: 'tcp' }]));
    const state = await until('the port is open', (now) => now?.forwards.length === 1);
    expect(state?.forwards).toEqual([
      {
        containerId: 'web',
        containerPort: 80,
        protocol: 'tcp',
        hostIp: '127.0.0.1',
        hostPort: port,
        state: 'open',
        error: null,
      },
    ]);
    expect(await text(connect({ port, host: '127.0.0.1' }))).toBe('hello from inside');
    engine.end('web');
    await until('the port is closed', (now) => now?.forwards.length === 0);
    await expect(text(connect({ port, host: '127.0.0.1' }))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await new Promise((resolve) => backend.close(resolve));
  });

  it('tells of a port that is taken on this computer, and by whom, and opens it when it is free', async () => {
    const other = createNetServer();
    await new Promise<undefined>((resolve) => other.listen(0, '127.0.0.1', () => resolve(undefined)));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    engine.start(container('web', [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: port, Type: 'tcp' }]));
    const state = await until('the failure is told', (now) => now?.forwards[0]?.state === 'failed');
    expect(state?.forwards[0]?.error).toContain(`Port ${port} of this computer is in use`);
    await until('its owner is told', (now) => now?.forwards[0]?.error?.includes(`(process ${process.pid})`) === true);
    await new Promise((resolve) => other.close(resolve));
    await until('the port is open', (now) => now?.forwards[0]?.state === 'open');
  });

  it('says of SCTP that it is not forwarded', async () => {
    engine.start(container('dns', [{ IP: '0.0.0.0', PrivatePort: 53, PublicPort: 5353, Type: 'sctp' }]));
    const state = await until('the port is told', (now) => now?.forwards.length === 1);
    expect(state?.forwards[0]).toMatchObject({
      protocol: 'sctp',
      state: 'failed',
      error: expect.stringContaining('not forwarded'),
    });
  });

  it('connects again when the connection breaks, and finds what was published meanwhile', async () => {
    sshd.refuse();
    sshd.cut();
    await until('the loss is told', (now) => now?.connection === 'lost' && now.error !== null);
    engine.containers.push(container('late', [{ IP: '0.0.0.0', PrivatePort: 9, PublicPort: 1, Type: 'udp' }]));
    sshd.accept();
    await until('it is back', (now) => now?.connection === 'ready' && now.error === null);
    await until('the new port is told', (now) => now?.forwards.length === 1);
    using docker = client();
    await docker.ping();
  });

  it('lets a client wait that comes while the connection is being made again', async () => {
    sshd.refuse();
    sshd.cut();
    await until('the loss is told', (now) => now?.connection === 'lost');
    using docker = client();
    const answer = docker.ping();
    sshd.accept();
    await answer;
  });

  it('ends by itself when the machine has stopped', async () => {
    isMachineRunning = false;
    sshd.cut();
    await agent;
    expect(await readdir(folder)).toEqual(['engine.sock']);
  });
});
