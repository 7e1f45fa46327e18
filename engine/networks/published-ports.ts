import { EngineError } from '../model/errors.ts';
import type { ContainerId, NetworkId } from '../model/ids.ts';
import { readBridgeOptions } from './driver-options.ts';
import { publisherOf } from './gateways.ts';
import { HostPorts, type ReservedPort, disposeAll } from './host-ports.ts';
import type { Network, RestoreReport } from './networks.ts';
import { type EndpointPlan, type PublishedPort, gatewayEndpoint } from './plan.ts';

/** The host ports that containers hold in this process: bound as long as the container runs, served to its gateway endpoint. */
export class PublishedPorts implements AsyncDisposable {
  readonly #hostPorts = new HostPorts();
  readonly #held = new Map<ContainerId, readonly ReservedPort[]>();
  readonly #networkOf: (id: NetworkId) => Network | null;

  constructor(networkOf: (id: NetworkId) => Network | null) {
    this.#networkOf = networkOf;
  }

  /** Binds what the plan asks for, all or none; nothing where no bridge leads out. Throws docker's errors, which name the container. */
  async reserve(plan: EndpointPlan, containerName: string): Promise<readonly PublishedPort[]> {
    const publisher = publisherOf(plan);
    if (publisher === null || plan.wantedPorts.length === 0) return [];
    const network = this.#networkOf(publisher.networkId);
    const binding = network === null ? null : readBridgeOptions(network.options).hostBinding;
    const wanted = plan.wantedPorts.map((one) => ({ ...one, hostAddress: one.hostAddress ?? binding }));
    try {
      const reserved = await this.#hostPorts.reserveAll(
        wanted,
        (hostAddress) => containerAddress(plan, hostAddress) ?? '',
      );
      this.#held.set(plan.containerId, reserved);
      return reserved.map(({ port }) => port);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const endpoint = `${containerName} (${publisher.id})`;
      throw new EngineError(
        error.kind,
        `driver failed programming external connectivity on endpoint ${endpoint}: ${error.message}`,
        { cause: error },
      );
    }
  }

  /** Those that an earlier engine chose. Returns what another process took meanwhile. */
  async bindAgain(plan: EndpointPlan): Promise<RestoreReport['unboundPorts']> {
    const reserved: ReservedPort[] = [];
    const unbound: RestoreReport['unboundPorts'][number][] = [];
    for (const port of plan.ports) {
      try {
        reserved.push(await this.#hostPorts.reserve(port, (hostAddress) => containerAddress(plan, hostAddress) ?? ''));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        unbound.push({ containerId: plan.containerId, port, reason });
      }
    }
    this.#held.set(plan.containerId, reserved);
    this.serve(plan);
    return unbound;
  }

  /** Connections that reach the sockets themselves go to the container from now on. */
  serve(plan: EndpointPlan): void {
    for (const reserved of this.#held.get(plan.containerId) ?? []) {
      const address = containerAddress(plan, reserved.port.hostAddress);
      if (address !== undefined) reserved.serve({ address, port: reserved.port.port });
    }
  }

  /** After a network has gone: served to another one, or given back when none leads out any more. */
  async follow(plan: EndpointPlan): Promise<void> {
    if (publisherOf(plan) === null) await this.release(plan.containerId);
    else this.serve(plan);
  }

  async release(containerId: ContainerId): Promise<void> {
    const reserved = this.#held.get(containerId) ?? [];
    this.#held.delete(containerId);
    await disposeAll(reserved);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.clear();
    await this.#hostPorts[Symbol.asyncDispose]();
  }
}

/** Of its own family where the container has one: IPv6 that leads to IPv4 is carried by hand. */
function containerAddress(plan: EndpointPlan, hostAddress: string): string | undefined {
  const ipv4 = gatewayEndpoint(plan, 4)?.ipv4?.address;
  const ipv6 = gatewayEndpoint(plan, 6)?.ipv6?.address;
  return (hostAddress.includes(':') ? ipv6 : ipv4) ?? ipv4 ?? ipv6;
}
