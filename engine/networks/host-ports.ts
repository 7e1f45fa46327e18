import { type Socket, createSocket } from 'node:dgram';
import { isIP, isIPv6 } from 'node:net';
import { internal, invalid, notImplemented } from '../model/errors.ts';
import type { PortRequest, PublishedPort } from './networks.ts';
import { PortProxy, type ProxyTarget } from './port-proxy.ts';

/** A port of the host, really bound: as long as this lives, nobody else can have it. */
export interface ReservedPort extends AsyncDisposable {
  readonly port: PublishedPort;
  /** Connections that reach the socket itself go there from now on (TCP; UDP has the kernel's way alone). */
  serve(target: ProxyTarget): void;
}

const ephemeralAttempts = 20;

/** The host ports of one engine. Chooses, binds, and says in docker's words who else has one. */
export class HostPorts implements AsyncDisposable {
  readonly #reserved = new Set<ReservedPort>();

  /** All ports of a container or none. */
  async reserveAll(requests: readonly PortRequest[]): Promise<readonly ReservedPort[]> {
    const reserved: ReservedPort[] = [];
    try {
      for (const request of requests) reserved.push(...(await this.#reserveRequest(request)));
    } catch (error) {
      await disposeAll(reserved);
      throw error;
    }
    return reserved;
  }

  /** One that was chosen earlier. Throws as `reserveAll`. */
  async reserve(port: PublishedPort): Promise<ReservedPort> {
    try {
      return await this.#bind(port);
    } catch (error) {
      throw this.#explained(error, port);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll([...this.#reserved]);
  }

  async #reserveRequest(request: PortRequest): Promise<readonly ReservedPort[]> {
    const { protocol, port, hostAddress, hostPorts } = request;
    if (protocol === 'sctp') throw notImplemented(`publishing sctp ports is not supported: ${port}/sctp`);
    if (hostAddress !== null && isIP(hostAddress) === 0)
      throw invalid(`invalid host address ${hostAddress} for port ${port}/${protocol}`);
    const first = hostPorts?.first ?? 0;
    const last = hostPorts?.last ?? 0;
    const isEphemeral = first === 0;
    const candidates = isEphemeral ? Array.from({ length: ephemeralAttempts }, () => 0) : range(first, last);
    let failure: unknown = internal(`no host port to choose from for ${port}/${protocol}: ${first}-${last}`);
    for (const hostPort of candidates) {
      try {
        return await this.#reserveFamilies({ port, protocol, hostPort, hostAddress });
      } catch (error) {
        failure = error;
        if (!isTaken(error)) break;
      }
    }
    throw failure;
  }

  /** With no address given, IPv4 and IPv6 get the same port or none. */
  async #reserveFamilies(
    wanted: Omit<PublishedPort, 'hostAddress'> & { hostAddress: string | null },
  ): Promise<readonly ReservedPort[]> {
    const { hostAddress, ...rest } = wanted;
    const first = await this.reserve({ ...rest, hostAddress: hostAddress ?? '0.0.0.0' });
    if (hostAddress !== null) return [first];
    try {
      return [first, await this.reserve({ ...rest, hostAddress: '::', hostPort: first.port.hostPort })];
    } catch (error) {
      if (error instanceof Error && codeOf(error.cause) === 'EAFNOSUPPORT') return [first];
      await first[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #bind(port: PublishedPort): Promise<ReservedPort> {
    const bound = port.protocol === 'tcp' ? await bindTcp(port) : await bindUdp(port);
    const reserved: ReservedPort = {
      port: { ...port, hostPort: bound.hostPort },
      serve: bound.serve,
      [Symbol.asyncDispose]: async () => {
        this.#reserved.delete(reserved);
        await bound.close();
      },
    };
    this.#reserved.add(reserved);
    return reserved;
  }

  #explained(error: unknown, port: PublishedPort): Error {
    const at = `${isIPv6(port.hostAddress) ? `[${port.hostAddress}]` : port.hostAddress}:${port.hostPort}`;
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'address already in use',
      EADDRNOTAVAIL: 'cannot assign requested address',
      EACCES: 'permission denied',
    };
    const isOurs = codeOf(error) === 'EADDRINUSE' && [...this.#reserved].some((other) => collides(other.port, port));
    if (isOurs) return internal(`Bind for ${at} failed: port is already allocated`, { cause: error });
    const reason = reasons[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
    return internal(`failed to bind host port ${at}/${port.protocol}: ${reason}`, { cause: error });
  }
}

interface Bound {
  readonly hostPort: number;
  serve(target: ProxyTarget): void;
  close(): Promise<void>;
}

async function bindTcp(port: PublishedPort): Promise<Bound> {
  const proxy = await PortProxy.listen({ address: port.hostAddress, port: port.hostPort });
  return {
    hostPort: proxy.port,
    serve: (target) => proxy.serve(target),
    close: () => proxy[Symbol.asyncDispose](),
  };
}

async function bindUdp(port: PublishedPort): Promise<Bound> {
  const socket: Socket = isIPv6(port.hostAddress)
    ? createSocket({ type: 'udp6', ipv6Only: true })
    : createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address: port.hostAddress, port: port.hostPort, exclusive: true }, () => {
      socket.removeAllListeners('error');
      // An ICMP error for somebody's packet is nothing to this socket, which sends none.
      socket.on('error', () => undefined);
      resolve();
    });
  });
  return {
    hostPort: socket.address().port,
    serve: () => undefined,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

export async function disposeAll(reserved: readonly ReservedPort[]): Promise<void> {
  await Promise.all(reserved.map((one) => one[Symbol.asyncDispose]()));
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && codeOf(error.cause) === 'EADDRINUSE';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function collides(one: PublishedPort, other: PublishedPort): boolean {
  if (one.protocol !== other.protocol || one.hostPort !== other.hostPort) return false;
  if (isIPv6(one.hostAddress) !== isIPv6(other.hostAddress)) return false;
  const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::';
  return one.hostAddress === other.hostAddress || isWildcard(one.hostAddress) || isWildcard(other.hostAddress);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
