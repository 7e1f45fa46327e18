import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Netlink, openNetlink } from '../kernel/netlink.ts';
import { openNamespace, pinNamespace, unpinNamespace } from '../kernel/netns.ts';
import { lateNft } from '../kernel/nft.ts';
import { listLinks, parseLink, setMaster } from '../kernel/rtnetlink.ts';
import { conflict, internal } from '../model/errors.ts';
import type { ContainerId, NetworkId } from '../model/ids.ts';
import { attachEndpoint, detachEndpoint, routeEndpoints } from './endpoint.ts';
import { Firewall } from './firewall.ts';
import { switchForwardingBack } from './forwarding.ts';
import { chooseGateways, withoutEndpoint } from './gateways.ts';
import { pinnedNamespaces, removeNamespaces, removePorts } from './leftovers.ts';
import { NetworkGround } from './network-ground.ts';
import type { LiveNetwork } from './network-set.ts';
import type { Bridge, Network, NetworkRequest, Networks, NetworksOptions, RestoreReport } from './networks.ts';
import { planEndpoint } from './plan-endpoint.ts';
import type { Endpoint, EndpointPlan, EndpointRequest, PlanRequest } from './plan.ts';
import { PublishedPorts } from './published-ports.ts';
import { ReadyNamespaces } from './ready-namespaces.ts';
import { parseInterfaceAddress } from './subnet.ts';

/** Touches nothing yet. Throws `invalid` for a bridge address that is none. */
export function openNetworks(options: NetworksOptions): Networks {
  const bridgeAddress = options.bridgeAddress === null ? null : parseInterfaceAddress(options.bridgeAddress);
  if (Buffer.byteLength(options.bridgeName) > 15 || !/^[\w.-]+$/.test(options.bridgeName))
    throw conflict(`invalid bridge name ${options.bridgeName}: expected at most 15 letters, digits, dots and dashes`);
  const netlink = openNetlink();
  try {
    const firewall = new Firewall(lateNft(), options.engineId);
    const ground = new NetworkGround({ options, bridgeAddress, netlink, firewall });
    return new KernelNetworks({ options, netlink, firewall, ground });
  } catch (error) {
    netlink[Symbol.dispose]();
    throw error;
  }
}

class KernelNetworks implements Networks {
  readonly #options: NetworksOptions;
  readonly #netlink: Netlink;
  readonly #firewall: Firewall;
  readonly #ground: NetworkGround;
  readonly #folder: string;
  readonly #ports: PublishedPorts;
  readonly #namespaces: ReadyNamespaces;
  /** What each container holds; a connect that is not real yet is not among it. */
  readonly #held = new Map<ContainerId, EndpointPlan>();

  constructor(parts: {
    readonly options: NetworksOptions;
    readonly netlink: Netlink;
    readonly firewall: Firewall;
    readonly ground: NetworkGround;
  }) {
    this.#options = parts.options;
    this.#netlink = parts.netlink;
    this.#firewall = parts.firewall;
    this.#ground = parts.ground;
    this.#folder = join(parts.options.execRoot, 'netns');
    this.#ports = new PublishedPorts((id) => this.byId(id));
    this.#namespaces = new ReadyNamespaces(parts.options.readyNamespaces ?? 2);
  }

  get bridge(): Bridge {
    return this.#ground.bridge;
  }

  async prepare(): Promise<Bridge> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o711 });
    return this.#ground.prepare();
  }

  all(): readonly Network[] {
    return this.#ground.set.all();
  }

  find(text: string): Network {
    return this.#ground.set.find(text);
  }

  byId(id: NetworkId): Network | null {
    return this.#ground.set.live(id)?.network ?? null;
  }

  async create(request: NetworkRequest): Promise<Network> {
    return this.#ground.create(request);
  }

  async remove(network: Network): Promise<void> {
    const joined = [...this.#held.values()].flatMap((plan) =>
      plan.endpoints.filter((endpoint) => endpoint.networkId === network.id),
    );
    await this.#ground.remove(network, joined);
  }

  plans(): Iterable<EndpointPlan> {
    return this.#held.values();
  }

  async restore(plans: readonly EndpointPlan[]): Promise<RestoreReport> {
    const bridges = this.#ground.bridges();
    const pinned = pinnedNamespaces(this.#folder);
    const links = new Map(this.#netlink.read(listLinks).map((body) => [parseLink(body).name, parseLink(body)]));
    const lost: ContainerId[] = [];
    const unboundPorts: RestoreReport['unboundPorts'][number][] = [];
    for (const plan of plans) {
      this.#held.set(plan.containerId, plan);
      for (const endpoint of plan.endpoints) this.#ground.set.live(endpoint.networkId)?.hold(endpoint);
      const ends = plan.endpoints.filter(({ hostInterface }) => hostInterface !== null);
      if (isGone(plan, pinned) || ends.some(({ hostInterface }) => !links.has(hostInterface ?? ''))) {
        lost.push(plan.containerId);
        continue;
      }
      for (const { hostInterface, networkId } of ends) {
        const end = links.get(hostInterface ?? '');
        const masterIndex = this.#ground.set.live(networkId)?.linkIndex ?? 0;
        if (end !== undefined && masterIndex !== 0 && end.masterIndex !== masterIndex)
          this.#netlink.change([setMaster({ index: end.index, masterIndex })]);
      }
      unboundPorts.push(...(await this.#ports.bindAgain(plan)));
      this.#firewall.remember(plan);
    }
    const keptPaths = new Set(plans.flatMap((plan) => plan.netnsPath ?? []));
    const kept = new Set(plans.flatMap((plan) => plan.endpoints.map((endpoint) => endpoint.hostInterface ?? '')));
    const removed = [
      ...removeNamespaces(this.#folder, keptPaths),
      ...bridges.flatMap((bridgeIndex) => removePorts(this.#netlink, { bridgeIndex, kept })),
    ];
    // Where nobody has a network there is nothing to guard yet.
    if (this.#options.isFirewallLate === true && lost.length === plans.length) this.#firewall.rewriteLater();
    else this.#firewall.rewrite();
    return { lost, unboundPorts, removed };
  }

  settle(): void {
    this.#firewall.settle();
  }

  async plan(request: PlanRequest): Promise<EndpointPlan> {
    const { containerId, mode } = request;
    if (this.#held.has(containerId)) throw internal(`the container ${containerId} already has a network`);
    const bare = {
      containerId,
      endpoints: [],
      gateways: { ipv4: null, ipv6: null },
      wantedPorts: [],
      ports: [],
      netnsPath: join(this.#folder, containerId),
    };
    if (mode === 'host') return this.#hold({ ...bare, mode, netnsPath: null });
    if (typeof mode === 'object')
      return this.#hold({ ...bare, mode: 'container', netnsPath: this.#pathOf(mode.container) });
    if (mode === 'none') return this.#hold({ ...bare, mode });
    const endpoints = this.#planEndpoints(request.endpoints);
    const gateways = chooseGateways(endpoints);
    // Held before anything is awaited, so that nobody removes the networks meanwhile.
    const draft = this.#hold({ ...bare, mode, endpoints, gateways, wantedPorts: request.ports });
    try {
      return this.#hold({ ...draft, ports: await this.#ports.reserve(draft, request.containerName) });
    } catch (error) {
      this.#held.delete(containerId);
      this.#giveAddresses(endpoints);
      throw error;
    }
  }

  realise(plan: EndpointPlan): void {
    if (!this.#held.has(plan.containerId))
      throw internal(`the network of container ${plan.containerId} was not planned`);
    if (plan.netnsPath === null || plan.mode === 'container') return;
    using inside = this.#namespaces.take();
    const indexes = new Map(
      plan.endpoints.map((endpoint) => [
        endpoint.interfaceName,
        attachEndpoint({ host: this.#netlink, inside, live: this.#live(endpoint.networkId), endpoint }),
      ]),
    );
    routeEndpoints(inside.netlink, { plan, before: null, indexes });
    pinNamespace(inside.namespace, plan.netnsPath);
    this.#firewall.publish(plan.containerId, plan);
    this.#ports.serve(plan);
  }

  async planConnect(plan: EndpointPlan, request: EndpointRequest): Promise<EndpointPlan> {
    if (plan.mode !== 'network') throw internal(`the container ${plan.containerId} has no networks of its own`);
    const endpoint = this.#planEndpoint(request, plan.endpoints);
    const endpoints = [...plan.endpoints, endpoint];
    const next = { ...plan, endpoints, gateways: chooseGateways(endpoints) };
    // As at `plan`: no one may remove the network from now on. Nothing of it is in the firewall yet.
    this.#hold(next);
    try {
      return this.#hold({
        ...next,
        ports: plan.ports.length > 0 ? plan.ports : await this.#ports.reserve(next, plan.containerId),
      });
    } catch (error) {
      this.#hold(plan);
      this.#giveAddresses([endpoint]);
      throw error;
    }
  }

  realiseConnect(plan: EndpointPlan): void {
    const endpoint = plan.endpoints.at(-1);
    if (endpoint === undefined || plan.netnsPath === null) throw internal('there is no endpoint to make real');
    using namespace = openNamespace(plan.netnsPath);
    using netlink = namespace.enter(openNetlink);
    attachEndpoint({
      host: this.#netlink,
      inside: { namespace, netlink },
      live: this.#live(endpoint.networkId),
      endpoint,
    });
    const before = plan.endpoints.slice(0, -1);
    routeEndpoints(netlink, { plan, before: { ...plan, gateways: chooseGateways(before) } });
    this.#firewall.publish(plan.containerId, plan);
    this.#ports.serve(plan);
  }

  async disconnect(plan: EndpointPlan, endpoint: Endpoint): Promise<EndpointPlan> {
    const rest = withoutEndpoint(plan, endpoint);
    await this.#detach({ plan: rest, before: plan, endpoint });
    this.#hold(rest);
    this.#firewall.publish(plan.containerId, rest);
    await this.#ports.follow(rest);
    this.#giveAddresses([endpoint]);
    return rest;
  }

  rename(plan: EndpointPlan): void {
    if (this.#held.has(plan.containerId)) this.#held.set(plan.containerId, plan);
  }

  async release(plan: EndpointPlan): Promise<void> {
    const held = this.#held.get(plan.containerId);
    // Released before, and the container has got another network since.
    if (held !== undefined && !isSameStart(held, plan)) return;
    // Never the interface: that waits some 20 ms for the kernel, which takes it by itself when the namespace ends.
    if (plan.mode !== 'container' && plan.netnsPath !== null) unpinNamespace(plan.netnsPath);
    if (held === undefined) return;
    this.#held.delete(plan.containerId);
    this.#firewall.publish(plan.containerId, null);
    await this.#ports.release(plan.containerId);
    // Not before this: as long as a rule or a connection names the address, it belongs to this container.
    this.#giveAddresses(held.endpoints);
  }

  async removeAll(): Promise<void> {
    await this.#ports[Symbol.asyncDispose]();
    this.#held.clear();
    this.#namespaces[Symbol.dispose]();
    removeNamespaces(this.#folder, new Set());
    for (const bridgeIndex of this.#ground.bridges()) removePorts(this.#netlink, { bridgeIndex, kept: new Set() });
    await this.#ground.removeAll();
    this.#firewall.removeAll();
    const { execRoot } = this.#options;
    for (const family of ['ipv4', 'ipv6'] as const)
      switchForwardingBack({ execRoot, family, linkNames: () => this.#ground.linkNames() });
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#namespaces[Symbol.dispose]();
    await this.#ports[Symbol.asyncDispose]();
    this.#firewall[Symbol.dispose]();
    this.#netlink[Symbol.dispose]();
  }

  #hold(plan: EndpointPlan): EndpointPlan {
    this.#held.set(plan.containerId, plan);
    return plan;
  }

  #live(id: NetworkId): LiveNetwork {
    const live = this.#ground.set.live(id);
    if (live === undefined) throw internal(`network ${id} was removed meanwhile`);
    return live;
  }

  #pathOf(container: ContainerId): string | null {
    const other = this.#held.get(container);
    if (other === undefined) throw conflict(`cannot join network namespace of a non running container: ${container}`);
    return other.netnsPath;
  }

  #planEndpoints(requests: readonly EndpointRequest[]): readonly Endpoint[] {
    const endpoints: Endpoint[] = [];
    try {
      for (const request of requests) endpoints.push(this.#planEndpoint(request, endpoints));
    } catch (error) {
      this.#giveAddresses(endpoints);
      throw error;
    }
    return endpoints;
  }

  #planEndpoint(request: EndpointRequest, others: readonly Endpoint[]): Endpoint {
    return planEndpoint({ live: this.#ground.usable(request.networkId), request, others, randomBytes });
  }

  #giveAddresses(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) this.#ground.set.live(endpoint.networkId)?.give(endpoint);
  }

  async #detach(change: {
    readonly plan: EndpointPlan;
    readonly before: EndpointPlan;
    readonly endpoint: Endpoint;
  }): Promise<void> {
    const { plan, before, endpoint } = change;
    if (plan.netnsPath === null || !pinnedNamespaces(this.#folder).has(plan.netnsPath)) return;
    using namespace = openNamespace(plan.netnsPath);
    using inside = namespace.enter(openNetlink);
    await detachEndpoint({ host: this.#netlink, inside, endpoint });
    // The default route went with its interface.
    routeEndpoints(inside, { plan, before: { ...before, gateways: { ipv4: null, ipv6: null } } });
  }
}

function isGone(plan: EndpointPlan, pinned: ReadonlySet<string>): boolean {
  return plan.mode !== 'container' && plan.netnsPath !== null && !pinned.has(plan.netnsPath);
}

/** Networks may have come and gone since, but not all of them at once, and a container without any has nothing to lose. */
function isSameStart(held: EndpointPlan, given: EndpointPlan): boolean {
  if (held.endpoints.length === 0 || given.endpoints.length === 0) return true;
  return held.endpoints.some(({ id }) => given.endpoints.some((endpoint) => endpoint.id === id));
}
