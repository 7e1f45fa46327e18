import { closeSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { forgetFlows } from '../kernel/conntrack.ts';
import { type Netlink, openNetlink } from '../kernel/netlink.ts';
import { bindSocket, boundPort, listenOn, openSocket } from '../kernel/sockets.ts';
import { internal, invalid } from '../model/errors.ts';
import type { PortRequest, PublishedPort } from './networks.ts';
import { PortProxy, type ProxyTarget } from './port-proxy.ts';
import { UdpProxy } from './udp-proxy.ts';

/** A port of the host, really bound: as long as this lives, nobody else can have it. */
export interface ReservedPort extends AsyncDisposable {
  readonly port: PublishedPort;
  /** To be called when the kernel forwards the port: what reaches the socket itself goes there from now on (not of SCTP, which has the kernel's way alone). */
  serve(target: ProxyTarget): void;
}

const ephemeralAttempts = 20;

/** The host ports of one engine. Chooses, binds, and says in docker's words who else has one. */
export class HostPorts implements AsyncDisposable {
  readonly #reserved = new Set<ReservedPort>();
  #netfilter: Netlink | null = null;

  /** All ports of a container or none. `addressFor`: of the container, to which a port of that address of the host is to lead. */
  async reserveAll(
    requests: readonly PortRequest[],
    addressFor: (hostAddress: string) => string,
  ): Promise<readonly ReservedPort[]> {
    const reserved: ReservedPort[] = [];
    try {
      for (const request of requests) reserved.push(...(await this.#reserveRequest(request, addressFor)));
    } catch (error) {
      await disposeAll(reserved);
      throw error;
    }
    return reserved;
  }

  /** One that was chosen earlier. Throws as `reserveAll`. */
  async reserve(port: PublishedPort, addressFor: (hostAddress: string) => string): Promise<ReservedPort> {
    try {
      return await this.#bind(port);
    } catch (error) {
      throw this.#explained(error, port, addressFor(port.hostAddress));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll([...this.#reserved]);
    this.#netfilter?.[Symbol.dispose]();
    this.#netfilter = null;
  }

  async #reserveRequest(
    request: PortRequest,
    addressFor: (hostAddress: string) => string,
  ): Promise<readonly ReservedPort[]> {
    const { protocol, port, hostAddress, hostPorts } = request;
    if (hostAddress !== null && isIP(hostAddress) === 0)
      throw invalid(`invalid host address ${hostAddress} for port ${port}/${protocol}`);
    const first = hostPorts?.first ?? 0;
    const last = hostPorts?.last ?? 0;
    const isEphemeral = first === 0;
    const candidates = isEphemeral ? Array.from({ length: ephemeralAttempts }, () => 0) : range(first, last);
    let failure: unknown = internal(`no host port to choose from for ${port}/${protocol}: ${first}-${last}`);
    for (const hostPort of candidates) {
      try {
        return await this.#reserveFamilies({ port, protocol, hostPort, hostAddress }, addressFor);
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
    addressFor: (hostAddress: string) => string,
  ): Promise<readonly ReservedPort[]> {
    const { hostAddress, ...rest } = wanted;
    const first = await this.reserve({ ...rest, hostAddress: hostAddress ?? '0.0.0.0' }, addressFor);
    if (hostAddress !== null) return [first];
    try {
      return [first, await this.reserve({ ...rest, hostAddress: '::', hostPort: first.port.hostPort }, addressFor)];
    } catch (error) {
      if (error instanceof Error && codeOf(error.cause) === 'EAFNOSUPPORT') return [first];
      await first[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #bind(port: PublishedPort): Promise<ReservedPort> {
    const bound = await bindPort(port);
    let target: ProxyTarget | null = null;
    const reserved: ReservedPort = {
      port: { ...port, hostPort: bound.hostPort },
      serve: (to) => {
        target = to;
        bound.serve(to);
        // Who sent before there was a rule goes on to have none.
        this.#forgetFlows(reserved.port, null);
      },
      [Symbol.asyncDispose]: async () => {
        this.#reserved.delete(reserved);
        await bound.close();
        if (target !== null) this.#forgetFlows(reserved.port, target.address);
      },
    };
    this.#reserved.add(reserved);
    return reserved;
  }

  /** Of TCP and SCTP, ends are seen by the kernel itself. */
  #forgetFlows({ protocol, hostAddress, hostPort }: PublishedPort, answeredBy: string | null): void {
    if (protocol !== 'udp' || (answeredBy !== null && isIPv6(answeredBy) !== isIPv6(hostAddress))) return;
    this.#netfilter ??= openNetlink('netfilter');
    for (const address of addressesBehind(hostAddress))
      forgetFlows(this.#netfilter, { protocol, to: { address, port: hostPort }, answeredBy });
  }

  #explained(error: unknown, port: PublishedPort, containerAddress: string): Error {
    const holder =
      codeOf(error) === 'EADDRINUSE' ? [...this.#reserved].find((other) => collides(other.port, port)) : undefined;
    if (holder !== undefined) {
      const address = isWildcard(holder.port.hostAddress) ? holder.port.hostAddress : port.hostAddress;
      return internal(`Bind for ${address}:${port.hostPort} failed: port is already allocated`, { cause: error });
    }
    const way = `${bracketed(port.hostAddress)}:${port.hostPort}:${bracketed(containerAddress)}:${port.port}`;
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'address already in use',
      EADDRNOTAVAIL: 'cannot assign requested address',
      EACCES: 'permission denied',
      EPROTONOSUPPORT: 'protocol not supported: the kernel of this machine has no SCTP',
      ESOCKTNOSUPPORT: 'protocol not supported: the kernel of this machine has no SCTP',
    };
    const reason = reasons[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
    return internal(`failed to bind host port for ${way}/${port.protocol}: ${reason}`, { cause: error });
  }
}

interface Bound {
  readonly hostPort: number;
  serve(target: ProxyTarget): void;
  close(): Promise<void>;
}

async function bindPort({ protocol, hostAddress: address, hostPort: port }: PublishedPort): Promise<Bound> {
  if (protocol === 'sctp') return bindSctp({ address, port });
  const proxy = protocol === 'tcp' ? await PortProxy.listen({ address, port }) : await UdpProxy.bind({ address, port });
  return {
    hostPort: proxy.port,
    serve: (target) => proxy.serve(target),
    close: () => proxy[Symbol.asyncDispose](),
  };
}

/** Node knows no SCTP: the socket holds the port and refuses who reaches it, nothing more. */
function bindSctp(at: { readonly address: string; readonly port: number }): Bound {
  const fd = openSocket('sctp', at.address);
  try {
    bindSocket(fd, at);
    listenOn(fd, 0);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    hostPort: boundPort(fd),
    serve: () => undefined,
    close: async () => {
      closeSync(fd);
      await Promise.resolve();
    },
  };
}

/** All addresses of the host that a binding stands for. */
function addressesBehind(hostAddress: string): readonly string[] {
  if (!isWildcard(hostAddress)) return [hostAddress];
  const family = hostAddress === '::' ? 'IPv6' : 'IPv4';
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter((one) => one.family === family).map((one) => one.address),
  );
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
  return one.hostAddress === other.hostAddress || isWildcard(one.hostAddress) || isWildcard(other.hostAddress);
}

function bracketed(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
