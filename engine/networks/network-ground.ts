/** The networks of an engine on the host: rows, interfaces and rules kept in step, each change with its row first. */
import { randomBytes } from 'node:crypto';
import type { Netlink } from '../kernel/netlink.ts';
import { listLinks, parseLink } from '../kernel/rtnetlink.ts';
import { conflict, forbidden, internal, notFound } from '../model/errors.ts';
import type { NetworkId } from '../model/ids.ts';
import { addressesOf, findLink, makeBridge } from './bridge.ts';
import { freeSubnet } from './default-pools.ts';
import type { Firewall } from './firewall.ts';
import { type ForwardingFamily, switchForwardingOn } from './forwarding.ts';
import { makeHostInterface, removeHostInterface } from './host-interface.ts';
import { hostSubnets } from './host-subnets.ts';
import { type Surroundings, chooseAgain, makeNetwork } from './make-network.ts';
import { LiveNetwork, NetworkSet, defaultNetwork, namedNetwork } from './network-set.ts';
import type { Bridge, Network, NetworkRequest, NetworksOptions } from './networks.ts';
import type { Endpoint } from './plan.ts';
import {
  type InterfaceAddress,
  type Subnet,
  addressText,
  formatInterfaceAddress,
  formatSubnet,
  readSubnet,
} from './subnet.ts';

export class NetworkGround {
  readonly set = new NetworkSet();
  readonly #options: NetworksOptions;
  readonly #bridgeAddress: InterfaceAddress | null;
  readonly #netlink: Netlink;
  readonly #firewall: Firewall;
  /** Networks whose interface could not be had, with the reason: they are listed, and nobody can join them. */
  readonly #broken = new Map<NetworkId, string>();
  /** Networks that are being removed: listed still, and nobody can join them. */
  readonly #leaving = new Set<NetworkId>();
  #bridge: Bridge | null = null;

  constructor(parts: {
    readonly options: NetworksOptions;
    readonly bridgeAddress: InterfaceAddress | null;
    readonly netlink: Netlink;
    readonly firewall: Firewall;
  }) {
    this.#options = parts.options;
    this.#bridgeAddress = parts.bridgeAddress;
    this.#netlink = parts.netlink;
    this.#firewall = parts.firewall;
  }

  get bridge(): Bridge {
    if (this.#bridge === null) throw internal('networks were used before they were prepared');
    return this.#bridge;
  }

  /** Idempotent. */
  async prepare(): Promise<Bridge> {
    if (this.#bridge !== null) return this.#bridge;
    this.#forward('ipv4');
    const rows = this.#options.rows.all();
    const pools = rows.flatMap(({ network }) => network.pools.map(({ subnet }) => readSubnet(subnet)));
    this.#bridge = this.#prepareBridge(pools);
    this.set.add(new LiveNetwork(namedNetwork('host', this.#options.builtInSince), 0));
    this.set.add(new LiveNetwork(namedNetwork('null', this.#options.builtInSince), 0));
    for (const { network, state } of rows) {
      if (state === 'ready') this.#takeOver(network);
      else await this.#forget(network);
    }
    return this.#bridge;
  }

  async create(request: NetworkRequest): Promise<Network> {
    const around: Surroundings = {
      engineId: this.#options.engineId,
      now: this.#options.now,
      networks: this.set.all(),
      hostUses: hostSubnets(this.#netlink, new Set(this.bridges())),
    };
    const wished = makeNetwork(request, around);
    const wasThere = wished.hostInterface !== '' && findLink(this.#netlink, wished.hostInterface) !== null;
    const planned = { ...wished, isInterfaceOurs: wished.hostInterface !== '' && !wasThere };
    this.#options.rows.insert(planned);
    try {
      const { network, index } = this.#makeInterface(planned, (refused) =>
        chooseAgain(planned, around, { refused, luck: 1 + (randomBytes(1)[0] ?? 0) }),
      );
      this.set.add(new LiveNetwork(network, index));
      this.#firewall.addNetwork(network);
      this.#options.rows.settle(network, 'ready');
      return network;
    } catch (error) {
      this.set.add(new LiveNetwork(planned, 0));
      await this.#takeAway(planned);
      throw error;
    }
  }

  /** `joined`: endpoints in it of containers that run. */
  async remove(network: Network, joined: readonly Endpoint[]): Promise<void> {
    if (network.isBuiltIn) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
    if (this.set.live(network.id) === undefined) throw notFound(`network ${network.name} not found`);
    if (this.set.all().some(({ configFrom }) => configFrom === network.name))
      throw forbidden(`error while removing network: configuration network "${network.name}" is in use`);
    if (joined.length > 0) {
      const names = joined.map(({ id, dnsNames }) => `name:"${dnsNames[0] ?? ''}" id:"${id.slice(0, 12)}"`);
      throw forbidden(
        `error while removing network: network ${network.name} has active endpoints (${names.join(', ')})`,
      );
    }
    if (this.#leaving.has(network.id)) throw conflict(`removal of network ${network.name} is already in progress`);
    this.#options.rows.settle(network, 'removing');
    await this.#takeAway(network);
  }

  /** Throws `not-found`, and why a network that is there cannot be joined. */
  usable(id: NetworkId): LiveNetwork {
    const live = this.set.live(id);
    if (live === undefined) throw notFound(`network ${id} not found`);
    if (this.#leaving.has(id)) throw notFound(`network ${live.network.name} not found`);
    const reason = this.#broken.get(id);
    if (reason !== undefined) throw internal(`network ${live.network.name} cannot be used: ${reason}`);
    return live;
  }

  /** Indexes of all bridges that there are. */
  bridges(): readonly number[] {
    return this.set
      .all()
      .filter(({ driver }) => driver === 'bridge')
      .flatMap(({ id }) => this.set.live(id)?.linkIndex ?? [])
      .filter((index) => index !== 0);
  }

  linkNames(): string[] {
    return this.#netlink
      .read(listLinks)
      .map((body) => parseLink(body).name)
      .filter((name) => name !== 'lo');
  }

  /** From the kernel; rows stay, so that the next engine makes them anew. */
  async removeAll(): Promise<void> {
    await Promise.all(this.set.all().map((network) => removeHostInterface(this.#netlink, network)));
    this.set.clear();
    this.#bridge = null;
  }

  #prepareBridge(pools: readonly Subnet[]): Bridge {
    const { bridgeName: name, networkId, engineId, builtInSince } = this.#options;
    const existing = findLink(this.#netlink, name);
    const had = existing === null ? [] : addressesOf(this.#netlink, existing.index);
    const kept = this.#bridgeAddress ?? had.find(({ subnet }) => subnet.family === 4) ?? null;
    const made = makeBridge(this.#netlink, {
      name,
      mtu: null,
      whenClashing: kept === null ? 'choose-again' : 'fail',
      randomBytes,
      addresses: (refused) => {
        if (kept !== null) return [kept];
        const used = [...pools, ...refused, ...hostSubnets(this.#netlink, new Set())];
        const luck = refused.length === 0 ? 0 : 1 + (randomBytes(1)[0] ?? 0);
        const subnet = freeSubnet({ family: 4, engineId, used, luck });
        if (subnet === null)
          throw internal(
            'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network; name one with --bip',
          );
        return [{ address: subnet.base + 1n, subnet }];
      },
    });
    const [address] = made.addresses;
    if (address === undefined) throw internal(`the bridge ${name} has no address`);
    const subnet = formatSubnet(address.subnet);
    const gateway = addressText(4, address.address);
    const network = defaultNetwork({ id: networkId, bridgeName: name, subnet, gateway, createdAt: builtInSince });
    this.set.add(new LiveNetwork(network, made.index));
    this.#firewall.addNetwork(network);
    return { networkId, name, address: formatInterfaceAddress(address), subnet, gateway };
  }

  /** A network whose interface cannot be had (a parent that was unplugged) must not keep the engine from starting. */
  #takeOver(network: Network): void {
    let index = 0;
    try {
      index = this.#makeInterface(network, null).index;
      this.#firewall.addNetwork(network);
    } catch (error) {
      this.#broken.set(network.id, error instanceof Error ? error.message : String(error));
    }
    this.set.add(new LiveNetwork(network, index));
  }

  #makeInterface(
    network: Network,
    again: ((refused: readonly Subnet[]) => Network) | null,
  ): ReturnType<typeof makeHostInterface> {
    if (network.hasIpv6 && network.driver === 'bridge') this.#forward('ipv6');
    if (network.hostInterface === '') return { index: 0, isOurs: false, network };
    return makeHostInterface(this.#netlink, { network, chooseAgain: again, randomBytes });
  }

  /** Its name and its addresses are taken until it has gone. */
  async #takeAway(network: Network): Promise<void> {
    this.#leaving.add(network.id);
    try {
      this.#firewall.removeNetwork(network);
      await this.#forget(network);
      this.set.remove(network.id);
    } finally {
      this.#leaving.delete(network.id);
    }
  }

  async #forget(network: Network): Promise<void> {
    await removeHostInterface(this.#netlink, network);
    this.#options.rows.delete(network.id);
  }

  #forward(family: ForwardingFamily): void {
    const { execRoot, bridgeName } = this.#options;
    const closed = switchForwardingOn({ execRoot, family, linkNames: () => this.linkNames() });
    const ours = new Set([bridgeName, ...this.#options.rows.all().map(({ network }) => network.hostInterface)]);
    if (closed.length > 0) this.#firewall.closeLinks({ [family]: closed.filter((name) => !ours.has(name)) });
  }
}
