/**
 * How many megabytes a second the line to a machine carries, to a real sshd on loopback: through OpenSSH's own forwarding, through our
 * SSH connection alone, and through a host agent's socket with its fast way. One run of each after the other, several rounds; the
 * ratio to OpenSSH is what counts, for the computer is the same and as busy.
 *
 *     node bench/line.ts [SECONDS] [ROUNDS]
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
import { median } from './samples.ts';

interface Task {
  readonly kind: 'sink' | 'source';
  readonly path: string;
  readonly seconds: number;
}

if (isMainThread) await main();
else work(workerData as Task);

async function main(): Promise<void> {
  const seconds = Number(process.argv[2] ?? 3);
  const rounds = Number(process.argv[3] ?? 3);
  const folder = await mkdtemp(join(tmpdir(), 'skiff-line-'));
  const path = (name: string): string => join(folder, name);
  const ending = new AbortController();
  const sshd = await startSshd();
  const { port, user, identity, hostKey } = sshd;
  const at = { host: '127.0.0.1', port };
  await writeFile(path('id'), identity.privateKey, { mode: 0o600 });
  await writeFile(path('known_hosts'), knownHostsLine({ ...at, alias: 'x', publicKey: hostKey.publicKey }));
  const sink = new Worker(new URL(import.meta.url), {
    workerData: { kind: 'sink', path: path('engine.sock'), seconds },
  });
  await new Promise((resolve) => sink.once('message', resolve));
  const target = pinnedTarget({ ...at, user, privateKey: identity.privateKey, hostKey: hostKey.publicKey });
  const access = { kind: 'ssh', ...at, user, hostKey: null, jumps: [] } as const;
  const files = { identityFile: path('id'), knownHostsFile: path('known_hosts'), engineSocket: path('engine.sock') };
  const tunnelTo = (name: string, signal: AbortSignal): ReturnType<typeof openBulkTunnel> =>
    openBulkTunnel({ access, ...files, localSocket: path(name), signal });
  try {
    await using openSsh = await tunnelTo('openssh.sock', ending.signal);
    if (openSsh === null) throw new Error('OpenSSH did not forward');
    await using ours = await connectSsh(target, { signal: ending.signal, deadlineMs: 10_000 });
    await using _server = await serveStreams({
      listen: { path: path('ours.sock') },
      dial: () => ours.dialUnix(path('engine.sock')),
      onFailure: (error) => {
        throw error;
      },
    });
    const isFast = Promise.withResolvers<undefined>();
    const agent = runHostAgent({
      paths: { agentState: path('agent.json'), dockerSocket: path('docker.sock') },
      engineSocket: path('engine.sock'),
      open: (how) => (ending.signal.aborted ? Promise.resolve(null) : connectSsh(target, how)),
      openTunnel: (signal) => tunnelTo('bulk.sock', signal),
      log: (line) => {
        if (line.includes('fast way')) isFast.resolve(undefined);
      },
      signal: ending.signal,
    });
    await isFast.promise;
    const ways = { 'OpenSSH alone': 'openssh.sock', 'our SSH connection': 'ours.sock', 'host agent': 'docker.sock' };
    const rates = new Map(Object.keys(ways).map((way) => [way, [] as number[]]));
    for (let round = 0; round < rounds; round++)
      for (const [way, name] of Object.entries(ways)) rates.get(way)?.push(await measure(path(name), seconds));
    const reference = median(rates.get('OpenSSH alone') ?? []);
    for (const [way, all] of rates) {
      const rate = median(all);
      process.stdout.write(`${way.padEnd(20)} ${rate.toFixed(0).padStart(6)} MB/s  ${(rate / reference).toFixed(2)}\n`);
    }
    ending.abort();
    await agent;
  } finally {
    ending.abort();
    await sink.terminate();
    await sshd[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(path: string, seconds: number): Promise<number> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { kind: 'source', path, seconds } satisfies Task });
  return await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Sink: discards all it is sent and says how much that was. Source: sends for so long, and tells the rate that arrived. */
function work({ kind, path, seconds }: Task): void {
  if (kind === 'sink') {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let bytes = 0;
      socket.on('data', (chunk) => (bytes += chunk.length));
      socket.on('error', () => socket.destroy());
      socket.on('end', () => socket.end(String(bytes)));
    });
    server.listen(path, () => parentPort?.postMessage('listening'));
    return;
  }
  const socket = connect({ path, allowHalfOpen: true });
  const chunk = Buffer.alloc(256 * 1024, 7);
  const startedAt = performance.now();
  const fill = (): void => {
    while (performance.now() - startedAt < seconds * 1000) if (!socket.write(chunk)) return;
    socket.removeListener('drain', fill);
    socket.end();
  };
  socket.on('drain', fill);
  socket.on('connect', fill);
  let answer = '';
  socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
  socket.on('end', () => parentPort?.postMessage(Number(answer) / 1e6 / ((performance.now() - startedAt) / 1000)));
}
