import { forbidden, invalid, notFound } from '../model/errors.ts';
import { newEndpointId } from '../model/ids.ts';
import { randomMac } from './bridge.ts';
import { endpointInterfaceName, endpointSysctls, readBridgeOptions, readParentOptions } from './driver-options.ts';
import type { LiveNetwork } from './network-set.ts';
import type { Endpoint, EndpointAddress, EndpointRequest } from './plan.ts';
import { type Family, familyOf } from './subnet.ts';

/** Chooses addresses and names for one endpoint. Throws docker's errors; then no address is held. */
export function planEndpoint(parts: {
  readonly live: LiveNetwork;
  readonly request: EndpointRequest;
  /** The container's other endpoints. */
  readonly others: readonly Endpoint[];
  readonly randomBytes: (size: number) => Buffer;
}): Endpoint {
  const { live, request, others } = parts;
  const { network } = live;
  if (network.isConfigOnly) throw notFound(`network ${network.name} not found`);
  const interfaceName = chooseName(live, request, others);
  endpointSysctls(request.driverOptions, interfaceName);
  const ipv4 = addressIn(live, { family: 4, wanted: request.ipv4Address });
  let ipv6: EndpointAddress | null;
  try {
    ipv6 = addressIn(live, { family: 6, wanted: request.ipv6Address });
  } catch (error) {
    live.give({ ipv4, ipv6: null });
    throw error;
  }
  const id = newEndpointId();
  return {
    id,
    networkId: network.id,
    networkName: network.name,
    driver: network.driver,
    interfaceName,
    hostInterface: network.driver === 'bridge' ? `veth${id.slice(0, 11)}` : null,
    ipv4,
    ipv6,
    linkLocalAddresses: request.linkLocalAddresses,
    macAddress: network.driver === 'ipvlan' ? '' : (request.macAddress ?? randomMac(parts.randomBytes)),
    aliases: request.aliases,
    dnsNames: request.dnsNames,
    links: request.links,
    driverOptions: request.driverOptions,
    gatewayPriority: request.gatewayPriority,
  };
}

function addressIn(
  live: LiveNetwork,
  { family, wanted }: { readonly family: Family; readonly wanted: string | null },
): EndpointAddress | null {
  const taken = live.take(family, wanted);
  if (taken === null) return null;
  return { ...taken, gateway: gatewayOf(live, { family, address: taken.address }) };
}

/** Internal networks lead nowhere; ipvlan in layer 3 reaches everything on the interface itself. */
function gatewayOf(
  { network }: LiveNetwork,
  { family, address }: { readonly family: Family; readonly address: string },
): string | null {
  if (network.isInternal) return null;
  if (network.driver === 'ipvlan' && readParentOptions(network.options).ipvlanMode !== 'l2')
    return family === 4 ? '0.0.0.0' : '::';
  const pool = network.pools.find((one) => one.gateway !== null && familyOf(address) === one.family);
  return pool?.gateway ?? null;
}

function chooseName(live: LiveNetwork, request: EndpointRequest, others: readonly Endpoint[]): string {
  const used = new Set(['lo', ...others.map((other) => other.interfaceName)]);
  const asked = endpointInterfaceName(request.driverOptions);
  if (asked !== null) {
    if (used.has(asked)) throw forbidden(`the container already has an interface named ${asked}`);
    return asked;
  }
  const prefix = live.network.driver === 'bridge' ? readBridgeOptions(live.network.options).interfacePrefix : 'eth';
  for (let at = 0; at <= used.size; at++) if (!used.has(`${prefix}${at}`)) return `${prefix}${at}`;
  throw invalid(`no name is left for an interface of network ${live.network.name}`);
}
