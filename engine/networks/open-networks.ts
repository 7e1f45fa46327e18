import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Netlink, openNetlink } from '../kernel/netlink.ts';
import { pinNamespace, unpinNamespace } from '../kernel/netns.ts';
import { type Nft, NftError, openNft } from '../kernel/nft.ts';
import { deleteLink, listLinks, parseLink, setMaster } from '../kernel/rtnetlink.ts';
import { conflict, internal } from '../model/errors.ts';
import { type ContainerId, newEndpointId } from '../model/ids.ts';
import { AddressPool } from './address-pool.ts';
import { findLink, makeBridge, randomMac } from './bridge.ts';
import { connectEndpoint } from './endpoint.ts';
import { switchForwardingBack, switchForwardingOn } from './forwarding.ts';
import { HostPorts, type ReservedPort, disposeAll } from './host-ports.ts';
import { pinnedNamespaces, removeNamespaces, removePorts } from './leftovers.ts';
import type {
  Bridge,
  Endpoint,
  EndpointPlan,
  Networks,
  NetworksOptions,
  PlanRequest,
  RestoreReport,
} from './networks.ts';
import { ReadyNamespaces } from './ready-namespaces.ts';
import { type RulesetFacts, addPlan, deletePlan, deleteTable, wholeTable } from './ruleset.ts';
import { addressText, formatInterfaceAddress, formatSubnet, parseInterfaceAddress } from './subnet.ts';

const networkName = 'bridge';

/** Touches nothing yet. Throws `invalid` for a bridge address that is none. */
export function openNetworks(options: NetworksOptions): Networks {
  const bridgeAddress = options.bridgeAddress === null ? null : parseInterfaceAddress(options.bridgeAddress);
  if (Buffer.byteLength(options.bridgeName) > 15 || !/^[\w.-]+$/.test(options.bridgeName))
    throw conflict(`invalid bridge name ${options.bridgeName}: expected at most 15 letters, digits, dots and dashes`);
  const netlink = openNetlink();
  try {
    return new KernelNetworks({ options, bridgeAddress, netlink, nft: openNft() });
  } catch (error) {
    netlink[Symbol.dispose]();
    throw error;
  }
}

/** What is known once the bridge is there. */
interface Ground {
  readonly bridge: Bridge;
  readonly bridgeIndex: number;
  readonly prefixLength: number;
  readonly addresses: AddressPool;
  readonly facts: RulesetFacts;
}

/** What a container holds in this process; the plan says what it holds in the kernel. */
interface Holding {
  readonly plan: EndpointPlan;
  readonly ports: readonly ReservedPort[];
  isInFirewall: boolean;
}

class KernelNetworks implements Networks {
  readonly #options: NetworksOptions;
  readonly #bridgeAddress: ReturnType<typeof parseInterfaceAddress> | null;
  readonly #netlink: Netlink;
  readonly #nft: Nft;
  readonly #folder: string;
  readonly #hostPorts = new HostPorts();
  readonly #namespaces: ReadyNamespaces;
  readonly #held = new Map<ContainerId, Holding>();
  #ground: Ground | null = null;

  constructor(parts: {
    readonly options: NetworksOptions;
    readonly bridgeAddress: ReturnType<typeof parseInterfaceAddress> | null;
    readonly netlink: Netlink;
    readonly nft: Nft;
  }) {
    this.#options = parts.options;
    this.#bridgeAddress = parts.bridgeAddress;
    this.#netlink = parts.netlink;
    this.#nft = parts.nft;
    this.#folder = join(parts.options.execRoot, 'netns');
    this.#namespaces = new ReadyNamespaces(parts.options.readyNamespaces ?? 2);
  }

  get bridge(): Bridge {
    return this.#prepared().bridge;
  }

  async prepare(): Promise<Bridge> {
    const { execRoot, bridgeName: name, networkId, engineId } = this.#options;
    mkdirSync(this.#folder, { recursive: true, mode: 0o711 });
    const closedLinks = switchForwardingOn({ execRoot, linkNames: () => this.#linkNames() });
    const made = makeBridge(this.#netlink, { name, address: this.#bridgeAddress, randomBytes });
    const subnet = formatSubnet(made.address.subnet);
    const bridge = {
      networkId,
      name,
      address: formatInterfaceAddress(made.address),
      subnet,
      gateway: addressText(made.address.address),
    };
    this.#ground ??= {
      bridge,
      bridgeIndex: made.index,
      prefixLength: made.address.subnet.prefixLength,
      addresses: new AddressPool(made.address),
      facts: { engineId, bridgeName: name, subnet, closedLinks: closedLinks.filter((link) => link !== name) },
    };
    return bridge;
  }

  async restore(plans: readonly EndpointPlan[]): Promise<RestoreReport> {
    const ground = this.#prepared();
    const pinned = pinnedNamespaces(this.#folder);
    const links = new Map(this.#netlink.read(listLinks).map((body) => [parseLink(body).name, parseLink(body)]));
    const lost: ContainerId[] = [];
    const unboundPorts: RestoreReport['unboundPorts'][number][] = [];
    for (const plan of plans) {
      for (const { address } of plan.endpoints) ground.addresses.hold(address);
      const ends = plan.endpoints.map((endpoint) => links.get(endpoint.hostInterface));
      if (isGone(plan, pinned) || ends.includes(undefined)) {
        lost.push(plan.containerId);
        this.#hold(plan, []);
        continue;
      }
      for (const end of ends) {
        if (end !== undefined && end.masterIndex !== ground.bridgeIndex)
          this.#netlink.change([setMaster({ index: end.index, masterIndex: ground.bridgeIndex })]);
      }
      const ports = await this.#bindAgain(plan, unboundPorts);
      this.#held.set(plan.containerId, { plan, ports, isInFirewall: true });
    }
    const keptPaths = new Set(plans.flatMap((plan) => plan.netnsPath ?? []));
    const keptLinks = new Set(plans.flatMap((plan) => plan.endpoints.map((endpoint) => endpoint.hostInterface)));
    const removed = [
      ...removeNamespaces(this.#folder, keptPaths),
      ...removePorts(this.#netlink, { bridgeIndex: ground.bridgeIndex, kept: keptLinks }),
    ];
    this.#rewriteFirewall();
    return { lost, unboundPorts, removed };
  }

  async plan(request: PlanRequest): Promise<EndpointPlan> {
    const { containerId, mode } = request;
    if (this.#held.has(containerId)) throw internal(`the container ${containerId} already has a network`);
    const bare = { containerId, endpoints: [], ports: [] };
    if (mode === 'host') return this.#hold({ ...bare, mode, netnsPath: null }, []);
    if (typeof mode === 'object')
      return this.#hold({ ...bare, mode: 'container', netnsPath: this.#pathOf(mode.container) }, []);
    const netnsPath = join(this.#folder, containerId);
    if (mode === 'none') return this.#hold({ ...bare, mode, netnsPath }, []);
    const ground = this.#prepared();
    const reserved = await this.#hostPorts.reserveAll(request.ports);
    try {
      const address = ground.addresses.take(`${networkName} (${ground.bridge.networkId})`);
      const endpoints = [this.#endpoint(ground, address)];
      return this.#hold({ ...bare, mode, netnsPath, endpoints, ports: reserved.map((one) => one.port) }, reserved);
    } catch (error) {
      await disposeAll(reserved);
      throw error;
    }
  }

  realise(plan: EndpointPlan): void {
    const ground = this.#prepared();
    const holding = this.#held.get(plan.containerId);
    if (holding === undefined) throw internal(`the network of container ${plan.containerId} was not planned`);
    if (plan.netnsPath === null || plan.mode === 'container') return;
    using inside = this.#namespaces.take();
    const { bridgeIndex, bridge } = ground;
    for (const endpoint of plan.endpoints)
      connectEndpoint({ host: this.#netlink, inside, bridgeIndex, bridgeName: bridge.name, endpoint });
    pinNamespace(inside.namespace, plan.netnsPath);
    this.#openFirewall(holding);
    serve(holding);
  }

  async release(plan: EndpointPlan): Promise<void> {
    const holding = this.#held.get(plan.containerId);
    // Released before, and the container has got another network since.
    if (holding !== undefined && holding.plan.endpoints[0]?.id !== plan.endpoints[0]?.id) return;
    // Never the interface: that waits some 20 ms for the kernel, which takes it by itself when the namespace ends.
    if (plan.mode !== 'container' && plan.netnsPath !== null) unpinNamespace(plan.netnsPath);
    if (holding === undefined) return;
    this.#held.delete(plan.containerId);
    this.#closeFirewall(holding);
    await disposeAll(holding.ports);
    // Not before this: as long as a rule or a connection names the address, it belongs to this container.
    for (const { address } of plan.endpoints) this.#ground?.addresses.give(address);
  }

  async removeAll(): Promise<void> {
    await this.#hostPorts[Symbol.asyncDispose]();
    this.#held.clear();
    this.#namespaces[Symbol.dispose]();
    removeNamespaces(this.#folder, new Set());
    const bridge = findLink(this.#netlink, this.#options.bridgeName);
    if (bridge?.kind === 'bridge') {
      removePorts(this.#netlink, { bridgeIndex: bridge.index, kept: new Set() });
      this.#netlink.change([deleteLink(bridge)]);
    }
    this.#nft.run(deleteTable(this.#options.engineId));
    switchForwardingBack({ execRoot: this.#options.execRoot, linkNames: () => this.#linkNames() });
    rmSync(this.#folder, { recursive: true, force: true });
    this.#ground = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#namespaces[Symbol.dispose]();
    await this.#hostPorts[Symbol.asyncDispose]();
    this.#nft[Symbol.dispose]();
    this.#netlink[Symbol.dispose]();
  }

  #prepared(): Ground {
    if (this.#ground === null) throw internal('networks were used before they were prepared');
    return this.#ground;
  }

  #linkNames(): string[] {
    return this.#netlink
      .read(listLinks)
      .map((body) => parseLink(body).name)
      .filter((name) => name !== 'lo');
  }

  #hold(plan: EndpointPlan, ports: readonly ReservedPort[]): EndpointPlan {
    this.#held.set(plan.containerId, { plan, ports, isInFirewall: false });
    return plan;
  }

  #pathOf(container: ContainerId): string | null {
    const other = this.#held.get(container);
    if (other === undefined) throw conflict(`cannot join network of a non running container: ${container}`);
    return other.plan.netnsPath;
  }

  #endpoint(ground: Ground, address: string): Endpoint {
    const id = newEndpointId();
    return {
      id,
      networkId: ground.bridge.networkId,
      networkName,
      interfaceName: 'eth0',
      hostInterface: `veth${id.slice(0, 11)}`,
      address,
      prefixLength: ground.prefixLength,
      gateway: ground.bridge.gateway,
      macAddress: randomMac(randomBytes),
    };
  }

  async #bindAgain(
    plan: EndpointPlan,
    unbound: RestoreReport['unboundPorts'][number][],
  ): Promise<readonly ReservedPort[]> {
    const reserved: ReservedPort[] = [];
    for (const port of plan.ports) {
      try {
        reserved.push(await this.#hostPorts.reserve(port));
      } catch (error) {
        unbound.push({
          containerId: plan.containerId,
          port,
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
    serve({ plan, ports: reserved });
    return reserved;
  }

  #openFirewall(holding: Holding): void {
    holding.isInFirewall = true;
    this.#changeFirewall(addPlan(this.#prepared().facts, holding.plan));
  }

  #closeFirewall(holding: Holding): void {
    if (!holding.isInFirewall) return;
    holding.isInFirewall = false;
    this.#changeFirewall(deletePlan(this.#prepared().facts, holding.plan));
  }

  /** Somebody may have flushed all rules of the host (`nft flush ruleset`, a firewall's reload): then ours are written anew. */
  #changeFirewall(script: string): void {
    if (script === '') return;
    try {
      this.#nft.run(script);
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      this.#rewriteFirewall();
    }
  }

  #rewriteFirewall(): void {
    const plans = [...this.#held.values()].filter((holding) => holding.isInFirewall).map((holding) => holding.plan);
    this.#nft.run(wholeTable(this.#prepared().facts, plans));
  }
}

function serve({ plan, ports }: Pick<Holding, 'plan' | 'ports'>): void {
  const [endpoint] = plan.endpoints;
  if (endpoint === undefined) return;
  for (const reserved of ports) reserved.serve({ address: endpoint.address, port: reserved.port.port });
}

function isGone(plan: EndpointPlan, pinned: ReadonlySet<string>): boolean {
  return plan.mode !== 'container' && plan.netnsPath !== null && !pinned.has(plan.netnsPath);
}
