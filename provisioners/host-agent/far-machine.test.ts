import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EngineClient } from '../../client/engine-client.ts';
import { unixSocketDialer } from '../../client/dial.ts';
import type { FarHost } from '../../test/peers/far-host.ts';
import { startFarHost } from '../../test/peers/far-host.ts';
import { sshdProgram } from '../../test/peers/sshd.ts';
import { describeWith } from '../../test/skip.ts';
import { connectSsh, pinnedTarget } from '../ssh/ssh-connection.ts';
import { runHostAgent } from './host-agent.ts';

const needs = ['linux', 'root', { program: sshdProgram }, { program: 'nsenter' }] as const;

/** What no end of a TCP connection is told of: the network between is real, and goes away. */
describeWith(needs, 'the line to a machine in another network', () => {
  let far: FarHost;
  let engine: Server;
  let folder: string;
  let ending: AbortController;
  let agent: Promise<void>;
  let log: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-far-agent-'));
    far = await startFarHost();
    // An answer to /events never ends; anything else ends at once.
    engine = createServer((request, response) => {
      response.setHeader('Api-Version', '1.52').setHeader('Content-Type', 'application/json').flushHeaders();
      if (request.url?.includes('/events') !== true) response.end('[]');
    });
    await new Promise<void>((resolve) => engine.listen(join(folder, 'engine.sock'), resolve));
    ending = new AbortController();
    log = [];
  });
  afterEach(async () => {
    ending.abort();
    await agent;
    engine.closeAllConnections();
    await new Promise((resolve) => engine.close(resolve));
    await far[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function begin(how: { readonly keepAliveMs: number; readonly watchEveryMs: number }): Promise<void> {
    const { network, port, identity, hostKey } = far;
    const at = { host: network.host, port, user: 'root' };
    const target = pinnedTarget({ ...at, privateKey: identity.privateKey, hostKey: hostKey.publicKey });
    agent = runHostAgent({
      paths: { agentState: join(folder, 'agent.json'), dockerSocket: join(folder, 'docker.sock') },
      engineSocket: join(folder, 'engine.sock'),
      open: (options) => connectSsh(target, { ...options, keepAliveMs: how.keepAliveMs }),
      watch: { everyMs: how.watchEveryMs, answerMs: 1_000 },
      log: (line) => log.push(line),
      signal: ending.signal,
    });
    await told('is ready', 1);
  }

  /** At least so often: this computer's networks change by others' doing, too. */
  const told = (what: string, times: number): Promise<void> =>
    vi.waitFor(
      () => expect(log.filter((line) => line.includes(what)).length, log.join('; ')).toBeGreaterThanOrEqual(times),
      {
        timeout: 30_000,
        interval: 20,
      },
    );

  async function answers(): Promise<void> {
    using docker = new EngineClient(unixSocketDialer(join(folder, 'docker.sock')), { timeoutMs: 30_000 });
    await docker.ping();
  }

  /** Opens a stream through the line that nothing is said on; `ended` resolves when it ends. */
  async function quietStream(): Promise<{ readonly ended: Promise<void> }> {
    const socket = connect(join(folder, 'docker.sock'));
    const opened = new Promise<void>((resolve) => socket.once('data', () => resolve()));
    socket.write('GET /v1.52/events HTTP/1.1\r\nHost: docker\r\n\r\n');
    await opened;
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    return { ended };
  }

  it('goes on as if nothing had been when the network is away for a moment', async () => {
    await begin({ keepAliveMs: 15_000, watchEveryMs: 60_000 });
    far.network.cutLink();
    const answer = answers();
    far.network.mendLink();
    await answer;
    expect(log.filter((line) => line.includes('lost'))).toEqual([]);
  });

  it('ends every stream when the network stays away, and is there again when that is', async () => {
    await begin({ keepAliveMs: 500, watchEveryMs: 60_000 });
    const stream = await quietStream();
    far.network.cutLink();
    await told('Keepalive timeout', 1);
    await stream.ended;
    far.network.mendLink();
    await told('is ready', 2);
    await answers();
  });

  it('is made anew in another network as soon as this computer is seen to be there', async () => {
    await begin({ keepAliveMs: 60_000, watchEveryMs: 100 });
    far.network.moveComputer();
    const asked = answers();
    await told('the network of this computer changed', 1);
    await told('is ready', 2);
    await asked;
    await answers();
  });

  it('outlives a server that is killed with everything that it serves', async () => {
    await begin({ keepAliveMs: 15_000, watchEveryMs: 60_000 });
    await far.kill();
    await told('is lost: The SSH connection was lost', 1);
    await far.start();
    await told('is ready', 2);
    await answers();
  });
});
