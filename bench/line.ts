/**
 * What the line to a machine carries, to a real sshd on loopback: through OpenSSH's own forwarding, through our SSH connection alone, and
 * through a host agent's socket with its fast way. The ends run in threads of their own, which this file is the program of, too.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { connect, createServer } from 'node:net';
import { openBulkTunnel } from '../provisioners/host-agent/bulk-tunnel.ts';
import { runHostAgent } from '../provisioners/host-agent/host-agent.ts';
import { serveStreams } from '../provisioners/host-agent/stream-server.ts';
import { knownHostsLine } from '../provisioners/ssh/keys.ts';
import { connectSsh, pinnedTarget } from '../provisioners/ssh/ssh-connection.ts';
import { startSshd } from '../test/peers/sshd.ts';
import type { Bench, Measurement } from './contender.ts';
import { takeTurns } from './samples.ts';

interface Task {
  readonly kind: 'sink' | 'source';
  readonly path: string;
}

const streamBytes = 128 * 1024 ** 2;
const rounds = 5;
const ways = { openssh: 'openssh.sock', 'ours alone': 'ours.sock', 'host agent': 'docker.sock' };

if (!isMainThread) work(workerData as Task);

export function lineBench(): Bench {
  return { name: 'line', title: 'the line to a machine (a real sshd on loopback)', run };
}

async function run(): Promise<readonly Measurement[]> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-line-'));
  const path = (name: string): string => join(folder, name);
  const ending = new AbortController();
  const { signal } = ending;
  await using sshd = await startSshd();
  const { port, user, identity, hostKey } = sshd;
  const at = { host: '127.0.0.1', port };
  await writeFile(path('id'), identity.privateKey, { mode: 0o600 });
  await writeFile(path('known_hosts'), knownHostsLine({ ...at, alias: 'x', publicKey: hostKey.publicKey }));
  const sink = new Worker(new URL(import.meta.url), { workerData: { kind: 'sink', path: path('engine.sock') } });
  await new Promise((resolve) => sink.once('message', resolve));
  const target = pinnedTarget({ ...at, user, privateKey: identity.privateKey, hostKey: hostKey.publicKey });
  const tunnelTo = (name: string, end: AbortSignal): ReturnType<typeof openBulkTunnel> =>
    openBulkTunnel({
      access: { kind: 'ssh', ...at, user, hostKey: null, jumps: [] },
      identityFile: path('id'),
      knownHostsFile: path('known_hosts'),
      engineSocket: path('engine.sock'),
      localSocket: path(name),
      signal: end,
    });
  try {
    await using openSsh = await tunnelTo(ways.openssh, signal);
    if (openSsh === null) throw new Error('OpenSSH does not forward');
    await using ours = await connectSsh(target, { signal, deadlineMs: 10_000 });
    const listen = { path: path(ways['ours alone']) };
    const dial = (): ReturnType<typeof ours.dialUnix> => ours.dialUnix(path('engine.sock'));
    await using _server = await serveStreams({ listen, dial, onFailure: () => undefined });
    const fast = Promise.withResolvers<undefined>();
    const agent = runHostAgent({
      paths: { agentState: path('agent.json'), dockerSocket: path(ways['host agent']) },
      engineSocket: path('engine.sock'),
      open: (how) => (signal.aborted ? Promise.resolve(null) : connectSsh(target, how)),
      openTunnel: (end) => tunnelTo('bulk.sock', end),
      log: (line) => {
        if (line.includes('fast way')) fast.resolve(undefined);
      },
      signal,
    });
    await fast.promise;
    const contenders = Object.fromEntries(
      Object.entries(ways).map(([way, name]) => [way, () => send(path(name))] as const),
    );
    const samples = await takeTurns({ contenders, rounds, warmUp: 1 });
    ending.abort();
    await agent;
    return [{ what: `${streamBytes / 1024 ** 2} MiB to the engine's socket, ms`, samples, baseline: 'openssh' }];
  } finally {
    ending.abort();
    await sink.terminate();
    await rm(folder, { recursive: true, force: true });
  }
}

async function send(path: string): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { kind: 'source', path } satisfies Task });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
}

/** Sink: discards what it is sent, and says so at the end. Source: sends so much, and waits for that word. */
function work({ kind, path }: Task): void {
  if (kind === 'sink') {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      socket.resume().on('end', () => socket.end('all'));
    });
    server.listen(path, () => parentPort?.postMessage('listening'));
    return;
  }
  const socket = connect({ path, allowHalfOpen: true });
  const chunk = Buffer.alloc(256 * 1024, 7);
  let sentBytes = 0;
  const fill = (): void => {
    while (sentBytes < streamBytes) {
      sentBytes += chunk.length;
      if (!socket.write(chunk)) return;
    }
    socket.removeListener('drain', fill).end();
  };
  socket.on('drain', fill).on('connect', fill);
  socket.resume().on('end', () => parentPort?.postMessage('done'));
}
