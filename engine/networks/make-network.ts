/** From what a client asks for to a network: everything that can be refused before the kernel is asked. Pure but for its ids. */
import { conflict, forbidden, invalid, notFound } from '../model/errors.ts';
import { newNetworkId } from '../model/ids.ts';
import { checkPools } from './check-pools.ts';
import { freeSubnet } from './default-pools.ts';
import { readBridgeOptions, readParentOptions } from './driver-options.ts';
import type { Network, NetworkDriver, NetworkRequest, Pool, ShownPool } from './networks.ts';
import { type Family, type Subnet, addressText, formatSubnet, overlaps, parseCidr, readSubnet } from './subnet.ts';

export interface Surroundings {
  readonly engineId: string;
  readonly now: () => string;
  readonly networks: readonly Network[];
  /** What the host reaches otherwise: never chosen, but allowed when a client names it. */
  readonly hostUses: readonly Subnet[];
}

const predefined = ['bridge', 'host', 'none', 'default'];

/** Throws docker's errors (see `Networks.create`). */
export function makeNetwork(request: NetworkRequest, around: Surroundings): Network {
  const name = request.name;
  checkName(name, around.networks);
  checkScope(request);
  if (request.ipamDriver !== '' && request.ipamDriver !== 'default')
    throw notFound(`plugin "${request.ipamDriver}" not found`);
  const hasIpv4 = request.hasIpv4 ?? true;
  const hasIpv6 = request.hasIpv6 ?? false;
  if (!hasIpv4 && !hasIpv6) throw invalid('IPv4 or IPv6 must be enabled');
  const enabled = (pool: ShownPool): boolean => {
    const family = parseCidr(pool.subnet)?.subnet.family;
    return family === undefined || (family === 4 ? hasIpv4 : hasIpv6);
  };
  const given = request.pools.filter(enabled);
  checkPools(given);
  const base: Network = {
    id: newNetworkId(),
    name,
    driver: driverOf(request),
    createdAt: around.now(),
    scope: request.scope === 'global' ? 'global' : 'local',
    hasIpv4,
    hasIpv6,
    isInternal: request.isInternal,
    isAttachable: request.isAttachable,
    isConfigOnly: request.isConfigOnly,
    configFrom: request.configFrom,
    ipam: { driver: request.ipamDriver || 'default', options: request.ipamOptions, shownPools: given },
    pools: [],
    options: request.options,
    labels: request.labels,
    hostInterface: '',
    isInterfaceOurs: false,
    isBuiltIn: false,
  };
  if (request.isConfigOnly) return base;
  const network = request.configFrom === '' ? base : withTemplate(base, around.networks);
  return withInterface(withPools(network, around), around.networks);
}

function checkName(name: string, networks: readonly Network[]): void {
  if (name.trim() === '') throw invalid('invalid name: name is empty');
  if (predefined.includes(name)) throw forbidden(`operation is not permitted on predefined ${name} network `);
  if (networks.some((other) => other.name === name)) throw conflict(`network with name ${name} already exists`);
}

function checkScope(request: NetworkRequest): void {
  if (request.scope === 'swarm') throw forbidden('cannot create a swarm scoped network when swarm is not active');
  if (request.isIngress) throw forbidden('Ingress network can only be global scope network');
}

function driverOf(request: NetworkRequest): NetworkDriver {
  if (request.isConfigOnly) return 'null';
  switch (request.driver) {
    case '':
    case 'bridge':
      return 'bridge';
    case 'macvlan':
    case 'ipvlan':
      return request.driver;
    case 'host':
    case 'null':
      throw forbidden(`only one instance of "${request.driver}" network is allowed`);
    case 'overlay':
      throw forbidden(
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
      );
    default:
      throw notFound(`plugin "${request.driver}" not found`);
  }
}

function withTemplate(network: Network, networks: readonly Network[]): Network {
  const template = networks.find((one) => one.isConfigOnly && one.name === network.configFrom);
  if (template === undefined) throw notFound(`configuration network "${network.configFrom}" does not exist`);
  if (network.ipam.shownPools.length > 0 || Object.keys(network.options).length > 0 || network.hasIpv6)
    throw forbidden(
      'user specified configurations are not supported if the network depends on a configuration network',
    );
  const { hasIpv4, hasIpv6, ipam, options } = template;
  const labels = Object.keys(template.labels).length > 0 ? template.labels : network.labels;
  return { ...network, hasIpv4, hasIpv6, ipam, options, labels };
}

function withPools(network: Network, around: Surroundings): Network {
  const taken = around.networks.flatMap(({ pools }) => pools.map(({ subnet }) => readSubnet(subnet)));
  const families: readonly Family[] = [
    ...(network.hasIpv4 ? [4 as const] : []),
    ...(network.hasIpv6 ? [6 as const] : []),
  ];
  const perFamily = families.map((family) => {
    const given = network.ipam.shownPools.filter((pool) => readSubnet(pool.subnet).family === family);
    for (const pool of given) {
      const subnet = readSubnet(pool.subnet);
      if (taken.some((other) => overlaps(other, subnet)))
        throw forbidden('invalid pool request: Pool overlaps with other one on this address space');
      taken.push(subnet);
    }
    if (given.length > 1 && network.driver === 'bridge')
      throw forbidden("bridge driver doesn't support multiple subnets");
    if (given.length > 0) return { given, pools: given.map((pool) => givenPool(network, pool)) };
    return { given, pools: [chosenPool(family, { network, around, refused: [] })] };
  });
  const pools = perFamily.flatMap((family) => family.pools);
  const given = perFamily.flatMap((family) => family.given);
  return withShownPools({ ...network, pools }, given);
}

/** Other subnets for those that were chosen and turned out to be somebody else's. */
export function chooseAgain(
  network: Network,
  around: Surroundings,
  again: { readonly refused: readonly Subnet[]; readonly luck: number },
): Network {
  const pools = network.pools.map((pool) => {
    if (pool.isGiven || !again.refused.some((other) => overlaps(other, readSubnet(pool.subnet)))) return pool;
    return chosenPool(pool.family, { network, around, ...again });
  });
  const given = network.ipam.shownPools.filter((shown) =>
    pools.some((pool) => pool.isGiven && pool.subnet === shown.subnet),
  );
  return withShownPools({ ...network, pools }, given);
}

/** As docker shows them: what the client gave, then what was chosen. */
function withShownPools(network: Network, given: readonly ShownPool[]): Network {
  const chosen = network.pools.filter((pool) => !pool.isGiven).map(shownPool);
  return { ...network, ipam: { ...network.ipam, shownPools: [...given, ...chosen] } };
}

function givenPool(network: Network, shown: ShownPool): Pool {
  const subnet = readSubnet(shown.subnet);
  const range = shown.ipRange === '' ? subnet : readSubnet(shown.ipRange);
  const excluded = Object.values(shown.auxiliary);
  return {
    family: subnet.family,
    subnet: formatSubnet(subnet),
    range: formatSubnet(range),
    gateway: shown.gateway !== '' ? shown.gateway : hasGateway(network) ? firstAddress(subnet, range, excluded) : null,
    excluded,
    isGiven: true,
  };
}

function chosenPool(
  family: Family,
  choice: {
    readonly network: Network;
    readonly around: Surroundings;
    readonly refused: readonly Subnet[];
    readonly luck?: number;
  },
): Pool {
  const { network, around, refused, luck = 0 } = choice;
  const taken = around.networks.flatMap(({ pools }) => pools.map(({ subnet }) => readSubnet(subnet)));
  const used = [...taken, ...around.hostUses, ...refused];
  const subnet = freeSubnet({ family, engineId: around.engineId, used, luck });
  if (subnet === null) throw invalid('all predefined address pools have been fully subnetted');
  const text = formatSubnet(subnet);
  const gateway = hasGateway(network) ? firstAddress(subnet, subnet, []) : null;
  return { family, subnet: text, range: text, gateway, excluded: [], isGiven: false };
}

/** A bridge has an address even where it leads nowhere; a parent interface leads to a router only where there is one. */
function hasGateway(network: Network): boolean {
  return network.driver === 'bridge' || !network.isInternal;
}

function firstAddress(subnet: Subnet, range: Subnet, excluded: readonly string[]): string {
  let address = range.base === subnet.base ? subnet.base + 1n : range.base;
  while (excluded.includes(addressText(subnet.family, address))) address += 1n;
  return addressText(subnet.family, address);
}

function shownPool({ subnet, gateway }: Pool): ShownPool {
  return { subnet, ipRange: '', gateway: gateway ?? '', auxiliary: {} };
}

function withInterface(network: Network, networks: readonly Network[]): Network {
  const digits = network.id.slice(0, 12);
  if (network.driver === 'bridge') {
    const { bridgeName } = readBridgeOptions(network.options);
    const hostInterface = bridgeName || `br-${digits}`;
    const other = networks.find((one) => one.hostInterface === hostInterface);
    if (other !== undefined)
      throw forbidden(
        `cannot create network ${network.id} (${hostInterface}): conflicts with network ${other.id} (${hostInterface}): networks have same bridge name`,
      );
    return { ...network, hostInterface, isInterfaceOurs: true };
  }
  const { parent } = readParentOptions(network.options);
  if (parent === '') return { ...network, hostInterface: `dm-${digits}`, isInterfaceOurs: true, isInternal: true };
  const other = networks.find((one) => one.hostInterface === parent && one.driver !== 'bridge');
  if (other !== undefined)
    throw forbidden(`network dm-${other.id.slice(0, 12)} is already using parent interface ${parent}`);
  return { ...network, hostInterface: parent };
}
