import type { Duplex } from 'node:stream';
import type { PortForward } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';
import type { PublishedPort } from './published-ports.ts';
import type { StreamServer } from './stream-server.ts';
import { serveStreams } from './stream-server.ts';

/**
 * Brings published ports to this computer: one listener a port, at 127.0.0.1 whatever address the container was published
 * at, because that address is one of the machine and because nothing that runs in a container should be open to the
 * user's network unless the user says so here. A port that this computer has given to somebody else is told as failed and tried
 * again at every change. UDP and SCTP do not fit into an SSH channel; they are told as not forwarded.
 */
export interface PortForwarderOptions {
  readonly dial: (address: { readonly host: string; readonly port: number }) => Promise<Duplex>;
  readonly onChange: (forwards: readonly PortForward[]) => void;
  readonly onFailure: (error: Error) => void;
}

const hostIp = '127.0.0.1';

interface Entry {
  readonly wanted: PublishedPort;
  server: StreamServer | null;
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
    if (protocol !== 'tcp') {
      entry.error = `${protocol.toUpperCase()} ports are not forwarded to this computer yet; only TCP is`;
      return;
    }
    try {
      entry.server = await serveStreams({
        listen: { host: hostIp, port, exclusive: true },
        dial: () => this.#options.dial({ host: machineIp, port }),
        onFailure: this.#options.onFailure,
      });
      entry.error = null;
    } catch (error) {
      entry.error = explain(error, port);
    }
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
