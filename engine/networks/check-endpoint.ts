import { isIP, isIPv4, isIPv6 } from 'node:net';
import { EngineError } from '../model/errors.ts';
import { endpointInterfaceName, endpointSysctls } from './driver-options.ts';
import type { Network } from './networks.ts';
import type { EndpointRequest } from './plan.ts';
import { type Family, addressNumber, contains, readSubnet } from './subnet.ts';

type Asked = Pick<EndpointRequest, 'ipv4Address' | 'ipv6Address' | 'linkLocalAddresses' | 'aliases' | 'driverOptions'>;

/** What is wrong with what a client asks of one network, in dockerd's words. `network`: null when there is none of that name yet. */
export function endpointMistakes(network: Network | null, asked: Asked): readonly string[] {
  const isBuiltIn = network?.isBuiltIn ?? false;
  const { ipv4Address, ipv6Address, linkLocalAddresses, aliases, driverOptions } = asked;
  const names = ipv4Address !== null || ipv6Address !== null;
  return [
    ...(aliases.length > 0 && isBuiltIn
      ? ['network-scoped alias is supported only for containers in user defined networks']
      : []),
    ...(names && isBuiltIn ? ['user specified IP address is supported on user defined networks only'] : []),
    ...(ipv4Address !== null && !isIPv4(ipv4Address) ? [`invalid IPv4 address: ${ipv4Address}`] : []),
    ...(ipv6Address !== null && !isIPv6(ipv6Address) ? [`invalid IPv6 address: ${ipv6Address}`] : []),
    ...linkLocalAddresses
      .filter((address) => isIP(address) === 0)
      .map((address) => `invalid link-local IP address: ${address}`),
    ...(network === null ? [] : [...placeMistakes(network, 4, ipv4Address), ...placeMistakes(network, 6, ipv6Address)]),
    ...optionMistakes(driverOptions),
  ];
}

/** Clients may name an address only where they have named the subnet: others may be chosen anew. */
function placeMistakes(network: Network, family: Family, address: string | null): readonly string[] {
  if (address === null) return [];
  const pools = network.pools.filter((pool) => pool.family === family && pool.isGiven);
  if (pools.length === 0)
    return ['user specified IP address is supported only when connecting to networks with user configured subnets'];
  const number = addressNumber(address);
  if (number !== null && pools.some((pool) => contains(readSubnet(pool.subnet), number))) return [];
  return [`no configured subnet or ip-range contain the IP address ${address}`];
}

function optionMistakes(options: Asked['driverOptions']): readonly string[] {
  try {
    endpointInterfaceName(options);
    endpointSysctls(options, 'eth0');
    return [];
  } catch (error) {
    if (error instanceof EngineError) return [error.message];
    throw error;
  }
}
