/** The networks of an engine in memory: found by id and name, each with the addresses that are free in it. */
import { createHash } from 'node:crypto';
import { forbidden, internal, invalid, notFound } from '../model/errors.ts';
import type { NetworkId } from '../model/ids.ts';
import { AddressPool } from './address-pool.ts';
import type { Network } from './networks.ts';
import type { Endpoint } from './plan.ts';
import { type Family, addressNumber } from './subnet.ts';

export class LiveNetwork {
  readonly network: Network;
  /** Of its interface on the host; 0: it has none. */
  readonly linkIndex: number;
  readonly #pools: readonly AddressPool[];

  constructor(network: Network, linkIndex: number) {
    this.network = network;
    this.linkIndex = linkIndex;
    this.#pools = network.pools.map((pool) => new AddressPool(pool));
  }

  /** Null where the network has no addresses of that family. Throws docker's errors. */
  take(family: Family, wanted: string | null): { readonly address: string; readonly prefixLength: number } | null {
    const pools = this.#pools.filter(({ subnet }) => subnet.family === family);
    if (pools.length === 0) return null;
    if (wanted !== null) return takeExactly(pools, wanted);
    for (const pool of pools) {
      const address = pool.take();
      if (address !== null) return { address, prefixLength: pool.prefixLength };
    }
    const { name, id } = this.network;
    throw internal(`no available IPv${family} addresses on this network's address pools: ${name} (${id})`);
  }

  hold(endpoint: Pick<Endpoint, 'ipv4' | 'ipv6'>): void {
    for (const one of [endpoint.ipv4, endpoint.ipv6])
      if (one !== null) this.#pools.find((pool) => pool.takeExactly(one.address) !== 'elsewhere');
  }

  give(endpoint: Pick<Endpoint, 'ipv4' | 'ipv6'>): void {
    for (const one of [endpoint.ipv4, endpoint.ipv6])
      if (one !== null) for (const pool of this.#pools) pool.give(one.address);
  }
}

function takeExactly(pools: readonly AddressPool[], wanted: string) {
  if (addressNumber(wanted) === null) throw invalid(`invalid IP address: ${wanted}`);
  for (const pool of pools) {
    const answer = pool.takeExactly(wanted);
    if (answer === 'taken') return { address: wanted, prefixLength: pool.prefixLength };
    if (answer === 'in-use') throw forbidden('Address already in use');
  }
  throw invalid(`no configured subnet or ip-range contain the IP address ${wanted}`);
}

export class NetworkSet {
  readonly #byId = new Map<NetworkId, LiveNetwork>();

  add(live: LiveNetwork): void {
    this.#byId.set(live.network.id, live);
  }

  remove(id: NetworkId): void {
    this.#byId.delete(id);
  }

  clear(): void {
    this.#byId.clear();
  }

  live(id: NetworkId): LiveNetwork | undefined {
    return this.#byId.get(id);
  }

  all(): readonly Network[] {
    return [...this.#byId.values()].map(({ network }) => network);
  }

  find(text: string): Network {
    if (text === '') throw invalid('invalid name or ID supplied: ""');
    const all = this.all();
    const exact = all.find(({ id }) => id === text) ?? all.find(({ name }) => name === text);
    if (exact !== undefined) return exact;
    const found = all.filter(({ id }) => id.startsWith(text));
    if (found.length > 1)
      throw invalid(`network ${text} is ambiguous (${found.length} matches found based on ID prefix)`);
    const [only] = found;
    if (only === undefined) throw notFound(`network ${text} not found`);
    return only;
  }
}

/** `host` and `none` are no networks of the kernel: their ids only name them, and must not change. */
export function namedNetworkId(name: 'host' | 'none'): NetworkId {
  return createHash('sha256').update(`built-in network ${name}`).digest('hex') as NetworkId;
}

export function namedNetwork(driver: 'host' | 'null', createdAt: string): Network {
  const name = driver === 'null' ? 'none' : 'host';
  return {
    id: namedNetworkId(name),
    name,
    driver,
    createdAt,
    scope: 'local',
    hasIpv4: true,
    hasIpv6: false,
    isInternal: false,
    isAttachable: false,
    isConfigOnly: false,
    configFrom: '',
    ipam: { driver: 'default', options: null, shownPools: [] },
    pools: [],
    options: {},
    labels: {},
    hostInterface: '',
    isInterfaceOurs: false,
    isBuiltIn: true,
  };
}

/** The default bridge, whose name and address the engine's settings give. */
export function defaultNetwork(parts: {
  readonly id: NetworkId;
  readonly bridgeName: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly createdAt: string;
}): Network {
  const { id, bridgeName, subnet, gateway, createdAt } = parts;
  return {
    ...namedNetwork('host', createdAt),
    id,
    name: 'bridge',
    driver: 'bridge',
    ipam: { driver: 'default', options: null, shownPools: [{ subnet, ipRange: '', gateway, auxiliary: {} }] },
    pools: [{ family: 4, subnet, range: subnet, gateway, excluded: [], isGiven: false }],
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
      'com.docker.network.bridge.name': bridgeName,
      'com.docker.network.driver.mtu': '1500',
    },
    hostInterface: bridgeName,
    isInterfaceOurs: true,
  };
}
