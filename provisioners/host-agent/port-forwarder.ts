import type { Duplex } from 'node:stream';
import type { Dial } from '../../client/dial.ts';
import type { PortForward } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';
import type { PublishedPort } from './published-ports.ts';
import { serveStreams } from './stream-server.ts';
import { UdpServer } from './udp-server.ts';

/**
 * Brings published ports to this computer: one listener a port, at 127.0.0.1 whatever address the container was published
 * at, because that address is one of the machine and because nothing that runs in a container should be open to the
 * user's network unless the user says so here. A port that this computer has given to somebody else is told as failed and tried
 * again at every change. SCTP does not fit into an SSH channel and is told as not forwarded; UDP goes through the engine.
 */
export interface PortForwarderOptions {
  readonly dial: (address: { readonly host: string; readonly port: number }) => Promise<Duplex>;
  /** To the engine's socket, for UDP. */
  readonly dialEngine: Dial;
  readonly onChange: (forwards: readonly PortForward[]) => void;
  readonly onFailure: (error: Error) => void;
}

const hostIp = '127.0.0.1';

interface Entry {
  readonly wanted: PublishedPort;
  server: AsyncDisposable | null;
  error: string | null;
}

export class PortForwarder implements AsyncDisposable {
  readonly #options: PortForwarderOptions;
  /** By protocol and port: the one thing that two containers cannot share. */
  readonly #entries = new Map<string, Entry>();
  #work: Promise<void> = Promise.resolve();

  constructor(options: PortForwarderOptions) {
    this.#options = options;
  }

  get forwards(): readonly PortForward[] {
    return [...this.#entries.values()].map(describe);
  }

  /** Makes the listeners those that `wanted` says; changes are made one after the other. */
  update(wanted: readonly PublishedPort[]): Promise<void> {
    this.#work = this.#work.then(() => this.#apply(wanted));
    return this.#work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.update([]);
  }

  async #apply(wanted: readonly PublishedPort[]): Promise<void> {
    const before = JSON.stringify(this.forwards);
    const goal = new Map(wanted.map((port) => [keyOf(port), port]));
    for (const [key, entry] of this.#entries) {
      const same = goal.get(key);
      if (same !== undefined && JSON.stringify(same) === JSON.stringify(entry.wanted)) continue;
      this.#entries.delete(key);
      await entry.server?.[Symbol.asyncDispose]();
    }
    for (const [key, port] of goal) {
      const entry = this.#entries.get(key) ?? { wanted: port, server: null, error: null };
      this.#entries.set(key, entry);
      if (entry.server === null) await this.#open(entry);
    }
    if (JSON.stringify(this.forwards) !== before) this.#options.onChange(this.forwards);
  }

  async #open(entry: Entry): Promise<void> {
    const { protocol, machineIp, port } = entry.wanted;
    if (protocol === 'sctp') {
      entry.error = 'SCTP ports are not forwarded to this computer; TCP and UDP are';
      return;
    }
    try {
      entry.server = await this.#serve(protocol, { machineIp, port });
      entry.error = null;
    } catch (error) {
      entry.error = explain(error, port);
    }
  }

  #serve(
    protocol: 'tcp' | 'udp',
    { machineIp, port }: Pick<PublishedPort, 'machineIp' | 'port'>,
  ): Promise<AsyncDisposable> {
    const { dial, dialEngine, onFailure } = this.#options;
    if (protocol === 'udp') {
      const listen = { address: hostIp, port };
      return UdpServer.listen({ listen, dial: dialEngine, target: { address: machineIp, port }, onFailure });
    }
    return serveStreams({
      listen: { host: hostIp, port, exclusive: true },
      dial: () => dial({ host: machineIp, port }),
      onFailure,
    });
  }
}

function explain(error: unknown, port: number): string {
  if (isErrno(error, 'EADDRINUSE')) {
    return `Port ${port} of this computer is in use by another program; end that, or publish the container at another port`;
  }
  if (isErrno(error, 'EACCES')) {
    return `This user may not listen at port ${port}; publish the container at a port from 1024 on`;
  }
  return error instanceof Error ? error.message : String(error);
}

function keyOf(port: PublishedPort): string {
  return `${port.protocol} ${port.port}`;
}

function describe({ wanted, server, error }: Entry): PortForward {
  return {
    containerId: wanted.containerId,
    containerPort: wanted.containerPort,
    protocol: wanted.protocol,
    hostIp,
    hostPort: wanted.port,
    state: server === null ? 'failed' : 'open',
    error,
  };
}
