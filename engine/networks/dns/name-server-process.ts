/** The name server's own side: its book, a resolver for each container, and those who tell it what to answer. */
import { readFileSync, statSync } from 'node:fs';
import { type Server, type Socket, createServer, isIP } from 'node:net';
import type { ContainerId } from '../../model/ids.ts';
import { ContainerResolver, namespaceInode } from './container-resolver.ts';
import { NameBook } from './name-book.ts';
import type { NamedContainer } from './named-container.ts';
import { IdleEnd } from '../../kernel/idle-end.ts';
import { readLines, writeLine } from '../../kernel/socket-lines.ts';
import type { Request } from './wire.ts';

export interface NameServerOptions {
  readonly build: string;
  /** `/etc/resolv.conf` of the host. Read anew when it changes: a computer moves between networks while containers run. */
  readonly resolvConf: string;
  /** Called when it has had neither container nor connection for `idleMs`. */
  readonly onEnd: () => void;
  readonly idleMs: number;
}

interface Served {
  container: NamedContainer;
  readonly resolver: ContainerResolver;
}

export class NameServerProcess {
  readonly #options: NameServerOptions;
  readonly #book = new NameBook();
  readonly #served = new Map<ContainerId, Served>();
  readonly #connections = new Set<Socket>();
  readonly #server: Server;
  readonly #hostServers: () => readonly string[];
  readonly #idleEnd: IdleEnd;

  constructor(options: NameServerOptions) {
    this.#options = options;
    this.#idleEnd = new IdleEnd({ idleMs: options.idleMs, end: options.onEnd });
    this.#hostServers = hostServers(options.resolvConf);
    this.#server = createServer((socket) => this.#connected(socket));
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#checkIdle();
        resolve();
      });
    });
  }

  #connected(socket: Socket): void {
    this.#connections.add(socket);
    this.#checkIdle();
    writeLine(socket, { build: this.#options.build, pid: process.pid });
    readLines(socket, (message) => this.#perform(socket, message as Request));
    // Close follows and does all there is to do: the other side has gone.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#connections.delete(socket);
      this.#checkIdle();
    });
  }

  #perform(socket: Socket, request: Request): void {
    const failed: string[] = [];
    switch (request.op) {
      case 'put':
        this.#put(request.container, failed);
        break;
      case 'drop':
        this.#drop(request.id);
        break;
      case 'replace': {
        const kept = new Set(request.containers.map(({ containerId }) => containerId));
        for (const id of [...this.#served.keys()]) if (!kept.has(id)) this.#drop(id);
        for (const container of request.containers) this.#put(container, failed);
        break;
      }
      case 'end':
        this.#options.onEnd();
    }
    writeLine(socket, { seq: request.seq, failed });
    this.#checkIdle();
  }

  /** A resolver that listens already goes on, unless the container has got another namespace. */
  #put(container: NamedContainer, failed: string[]): void {
    const { containerId: id, netnsPath } = container;
    this.#book.put(container);
    try {
      const known = this.#served.get(id);
      if (known !== undefined && known.resolver.inode === namespaceInode(netnsPath)) {
        known.container = container;
        return;
      }
      known?.resolver[Symbol.dispose]();
      this.#served.delete(id);
      const served: Served = { container, resolver: this.#openResolver(container, () => served.container) };
      this.#served.set(id, served);
    } catch (error) {
      failed.push(`the resolver of container ${id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #openResolver({ containerId: id, netnsPath }: NamedContainer, current: () => NamedContainer): ContainerResolver {
    return new ContainerResolver({
      netnsPath,
      view: {
        addressesOf: (name) => this.#book.addressesOf(id, name),
        nameOf: (address) => this.#book.nameOf(id, address),
        get asksForDomains() {
          return current().asksForDomains;
        },
      },
      upstream: () => current().upstream,
      hostServers: this.#hostServers,
    });
  }

  #drop(id: ContainerId): void {
    this.#book.drop(id);
    this.#served.get(id)?.resolver[Symbol.dispose]();
    this.#served.delete(id);
  }

  #checkIdle(): void {
    if (this.#connections.size === 0 && this.#served.size === 0) this.#idleEnd.unused();
    else this.#idleEnd.used();
  }
}

/** The name servers of a resolv.conf, read again when the file is another. None when there is no file. */
export function hostServers(file: string): () => readonly string[] {
  let known: { readonly stamp: string; readonly servers: readonly string[] } | null = null;
  return () => {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return [];
    const stamp = `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
    if (known?.stamp !== stamp) known = { stamp, servers: nameServersIn(readFileSync(file, 'utf8')) };
    return known.servers;
  };
}

function nameServersIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, address = ''] = /^nameserver\s+(\S+)/.exec(line) ?? [];
    return isIP(address) === 0 ? [] : [address];
  });
}
