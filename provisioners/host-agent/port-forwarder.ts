import type { PortForward } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';
import type { LocalPort, LocalPortOptions } from './local-port.ts';
import { localAddresses, openLocalPort } from './local-port.ts';
import type { PublishedPort } from './published-ports.ts';

/**
 * Brings published ports to this computer: at localhost alone, whatever address the container was published at, because that address
 * is one of the machine and because nothing that runs in a container should be open to the user's network unless the user says so here.
 * A port that this computer has given to somebody else is told as failed, with who that is, and tried again until it is free. SCTP does
 * not fit into an SSH channel and is told as not forwarded; UDP goes through the engine.
 */
export interface PortForwarderOptions extends Pick<LocalPortOptions, 'dial' | 'dialEngine' | 'onFailure'> {
  readonly onChange: (forwards: readonly PortForward[]) => void;
  /** Who has a port of this computer, as people read it: `nginx (process 812)`, `container web of machine other`. */
  readonly ownerOf: (port: { readonly protocol: 'tcp' | 'udp'; readonly port: number }) => Promise<string>;
  /** First pause before a port that was taken is tried again; it doubles up to 30 s. */
  readonly retryMs?: number;
}

const mostRetryMs = 30_000;

interface Entry {
  readonly wanted: PublishedPort;
  server: LocalPort | null;
  /** Why it is not open, unless somebody else has it. */
  error: string | null;
  /** The address that somebody else has. */
  taken: string | null;
  /** Who that is; empty until it is found out. */
  owner: string;
}

export class PortForwarder implements AsyncDisposable {
  readonly #options: PortForwarderOptions;
  /** By protocol and port: the one thing that two containers cannot share. */
  readonly #entries = new Map<string, Entry>();
  #work: Promise<void> = Promise.resolve();
  #told = '[]';
  #retry: NodeJS.Timeout | null = null;
  #isOver = false;

  constructor(options: PortForwarderOptions) {
    this.#options = options;
  }

  get forwards(): readonly PortForward[] {
    return [...this.#entries.values()].map(describe);
  }

  /** Makes the listeners those that `wanted` says; changes are made one after the other. */
  update(wanted: readonly PublishedPort[]): Promise<void> {
    const { retryMs = 1_000 } = this.#options;
    this.#work = this.#work.then(() => this.#apply(wanted, retryMs));
    return this.#work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.update([]);
    this.#isOver = true;
  }

  async #apply(wanted: readonly PublishedPort[], retryMs: number): Promise<void> {
    if (this.#retry !== null) clearTimeout(this.#retry);
    const goal = new Map(wanted.map((port) => [keyOf(port), port]));
    for (const [key, entry] of this.#entries) {
      const same = goal.get(key);
      if (same !== undefined && JSON.stringify(same) === JSON.stringify(entry.wanted)) continue;
      this.#entries.delete(key);
      await entry.server?.[Symbol.asyncDispose]();
    }
    const tried: Entry[] = [];
    for (const [key, port] of goal) {
      const entry = this.#entries.get(key) ?? { wanted: port, server: null, error: null, taken: null, owner: '' };
      this.#entries.set(key, entry);
      if (entry.server !== null) continue;
      await this.#open(entry);
      if (entry.taken !== null) tried.push(entry);
    }
    this.#tell();
    // Who it is takes a look at every process of the computer: nobody's port waits for that.
    void this.#nameOwners(tried);
    if (tried.every(({ server }) => server !== null)) return;
    this.#retry = setTimeout(() => {
      this.#work = this.#work.then(() => this.#apply(wanted, Math.min(retryMs * 2, mostRetryMs)));
    }, retryMs).unref();
  }

  #tell(): void {
    const { forwards } = this;
    const text = JSON.stringify(forwards);
    if (text !== this.#told && !this.#isOver) this.#options.onChange(forwards);
    this.#told = text;
  }

  async #open(entry: Entry): Promise<void> {
    const { protocol, machineIp, port } = entry.wanted;
    if (protocol === 'sctp') {
      entry.error = 'SCTP ports are not forwarded to this computer; TCP and UDP are';
      return;
    }
    const { dial, dialEngine, onFailure } = this.#options;
    try {
      const target = { host: machineIp, port };
      entry.server = await openLocalPort({ protocol, port, target, dial, dialEngine, onFailure });
      entry.taken = entry.server.taken;
      entry.error = null;
    } catch (error) {
      entry.taken = isErrno(error, 'EADDRINUSE') ? localAddresses[0] : null;
      entry.error = isErrno(error, 'EACCES')
        ? `This user may not listen at port ${port}; publish the container at a port from 1024 on`
        : String(error instanceof Error ? error.message : error);
    }
  }

  async #nameOwners(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      const { protocol, port } = entry.wanted;
      if (protocol !== 'sctp') entry.owner = await this.#options.ownerOf({ protocol, port });
    }
    this.#tell();
  }
}

function errorOf({ wanted: { port }, server, error, taken, owner }: Entry): string | null {
  if (taken === null) return error;
  const who = owner === '' ? 'another program' : owner;
  return server === null
    ? `Port ${port} of this computer is in use by ${who}; end that, or publish the container at another port`
    : `Only ${localAddresses[0]}:${port} leads to the container: [${taken}]:${port} is in use by ${who}`;
}

function keyOf(port: PublishedPort): string {
  return `${port.protocol} ${port.port}`;
}

function describe(entry: Entry): PortForward {
  const { wanted, server } = entry;
  return {
    containerId: wanted.containerId,
    containerPort: wanted.containerPort,
    protocol: wanted.protocol,
    hostIp: localAddresses[0],
    hostPort: wanted.port,
    state: server === null ? 'failed' : 'open',
    error: errorOf(entry),
  };
}
