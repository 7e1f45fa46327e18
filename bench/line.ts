/**
 * What the line to a machine carries, to a real sshd on loopback: through OpenSSH's own forwarding, through our SSH connection alone, and
 * through a host agent's socket with its fast way. The ends run in threads of their own, which this file is the program of, too.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { openBulkTunnel } from '../provisioners/host-agent/bulk-tunnel.ts';
import type { HostAgentOptions } from '../provisioners/host-agent/host-agent.ts';
import { runHostAgent } from '../provisioners/host-agent/host-agent.ts';
import { knownHostsLine } from '../provisioners/ssh/keys.ts';
import { connectSsh, pinnedTarget } from '../provisioners/ssh/ssh-connection.ts';
import { startSshd } from '../test/peers/sshd.ts';
import type { Bench, Measurement } from './contender.ts';
import type { Work } from './samples.ts';
import { takeTurns } from './samples.ts';

/** Both ends run in threads of their own. `engine` serves; the others are clients: they send, fetch, or ask for one byte on a new connection. */
interface Task {
  readonly kind: 'engine' | 'send' | 'fetch' | 'ask';
  readonly path: string;
}

const streamBytes = 128 * 1024 ** 2;
const rounds = 5;
const questions = 200;
const ways = {
  'no line': 'engine.sock',
  openssh: 'openssh.sock',
  'ours alone': 'ours.sock',
  'host agent': 'docker.sock',
};

if (!isMainThread) void work(workerData as Task);

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
  const engine = new Worker(new URL(import.meta.url), { workerData: { kind: 'engine', path: path('engine.sock') } });
  await new Promise((resolve) => engine.once('message', resolve));
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
  const startAgent = async (
    of: { readonly socket: string; readonly state: string; readonly isReady: string },
    options: Pick<HostAgentOptions, 'openTunnel'>,
  ): Promise<{ readonly ended: Promise<void> }> => {
    const ready = Promise.withResolvers<undefined>();
    const ended = runHostAgent({
      paths: { agentState: of.state, dockerSocket: of.socket },
      engineSocket: path('engine.sock'),
      open: (how) => (signal.aborted ? Promise.resolve(null) : connectSsh(target, how)),
      ...options,
      log: (line) => {
        if (line.includes(of.isReady)) ready.resolve(undefined);
      },
      signal,
    });
    await ready.promise;
    return { ended };
  };
  try {
    await using openSsh = await tunnelTo(ways.openssh, signal);
    if (openSsh === null) throw new Error('OpenSSH does not forward');
    const agents = [
      await startAgent(
        { socket: path(ways['ours alone']), state: path('ours.json'), isReady: 'connection is ready' },
        {},
      ),
      await startAgent(
        { socket: path(ways['host agent']), state: path('agent.json'), isReady: 'fast way' },
        { openTunnel: (end) => tunnelTo('bulk.sock', end) },
      ),
    ];
    const contendersOf = (kind: Task['kind'], names: readonly string[]): Readonly<Record<string, Work>> =>
      Object.fromEntries(
        names.map((name) => [name, () => carry({ kind, path: path(ways[name as keyof typeof ways]) })]),
      );
    const [, ...lines] = Object.keys(ways);
    const sent = await takeTurns({ contenders: contendersOf('send', lines), rounds, warmUp: 1 });
    const fetched = await takeTurns({ contenders: contendersOf('fetch', lines), rounds, warmUp: 1 });
    const asked = await takeTurns({ contenders: contendersOf('ask', Object.keys(ways)), rounds, warmUp: 1 });
    ending.abort();
    await Promise.all(agents.map(({ ended }) => ended));
    const size = `${streamBytes / 1024 ** 2} MiB`;
    return [
      { what: `${size} to the engine's socket, ms`, samples: sent, baseline: 'openssh' },
      { what: `${size} from the engine's socket, ms`, samples: fetched, baseline: 'openssh' },
      {
        what: `${questions} small requests one after the other, each on a new connection, ms`,
        samples: asked,
        baseline: 'no line',
      },
    ];
  } finally {
    ending.abort();
    await engine.terminate();
    await rm(folder, { recursive: true, force: true });
  }
}

async function carry(task: Task): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
}

async function work({ kind, path }: Task): Promise<void> {
  if (kind === 'engine') return serve(path);
  if (kind === 'ask') for (let round = 0; round < questions; round++) await talk(path, 'a');
  else await talk(path, kind === 'send' ? 's' : 'f');
  parentPort?.postMessage('done');
}

/** The first byte of a client says what it wants: one byte (a), so many (f), or one after all that it sends (s). */
function serve(path: string): void {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      const wish = first.toString('latin1', 0, 1);
      if (wish === 'a') socket.end('a');
      else if (wish === 'f') fill(socket);
      else socket.on('end', () => socket.end('s'));
      socket.resume();
    });
  });
  server.listen(path, () => parentPort?.postMessage('listening'));
}

function talk(path: string, wish: 'a' | 's' | 'f'): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.on('error', reject).resume();
    socket.on('end', () => {
      socket.destroy();
      resolve();
    });
    socket.write(wish);
    if (wish === 's') fill(socket);
    else socket.end();
  });
}

function fill(socket: Socket): void {
  const chunk = Buffer.alloc(256 * 1024, 's');
  let leftBytes = streamBytes;
  const more = (): void => {
    while (leftBytes > 0) {
      leftBytes -= chunk.length;
      if (!socket.write(chunk)) return;
    }
    socket.removeListener('drain', more).end();
  };
  socket.on('drain', more);
  more();
}
