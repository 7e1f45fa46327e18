import { isIPv4 } from 'node:net';
import { invalid } from '../model/errors.ts';

/** An IPv4 network: its first address as a number, and the length of its prefix. */
export interface Subnet {
  readonly base: number;
  readonly prefixLength: number;
}

/** An address in its network, as an interface has it: `172.17.0.1/16`. */
export interface InterfaceAddress {
  readonly address: number;
  readonly subnet: Subnet;
}

/** Reads `172.17.0.1/16`. Throws `invalid` for anything else, and for networks too small for a gateway and a container. */
export function parseInterfaceAddress(text: string): InterfaceAddress {
  const [address = '', length = ''] = text.split('/', 2);
  const prefixLength = Number(length);
  if (!isIPv4(address) || !/^\d{1,2}$/.test(length) || prefixLength < 8 || prefixLength > 30)
    throw invalid(
      `invalid bridge address ${text}: expected an IPv4 address with a prefix of 8 to 30 bits, like 172.17.0.1/16`,
    );
  const parsed = addressNumber(address);
  const subnet = subnetOf(parsed, prefixLength);
  if (parsed === subnet.base || parsed === lastAddress(subnet))
    throw invalid(`invalid bridge address ${text}: the first and the last address of a network belong to no interface`);
  return { address: parsed, subnet };
}

export function formatInterfaceAddress({ address, subnet }: InterfaceAddress): string {
  return `${addressText(address)}/${subnet.prefixLength}`;
}

export function formatSubnet(subnet: Subnet): string {
  return `${addressText(subnet.base)}/${subnet.prefixLength}`;
}

export function subnetOf(address: number, prefixLength: number): Subnet {
  const size = 2 ** (32 - prefixLength);
  return { base: Math.floor(address / size) * size, prefixLength };
}

/** The broadcast address. */
export function lastAddress(subnet: Subnet): number {
  return subnet.base + 2 ** (32 - subnet.prefixLength) - 1;
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return one.base <= lastAddress(other) && other.base <= lastAddress(one);
}

export function addressNumber(text: string): number {
  return text.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** Docker's default pools: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in pieces of /20. The first address is the gateway. */
export function defaultPools(): readonly InterfaceAddress[] {
  const gatewayOf = (first: string, prefixLength: number, at: number): InterfaceAddress => {
    const subnet = subnetOf(addressNumber(first) + at * 2 ** (32 - prefixLength), prefixLength);
    return { address: subnet.base + 1, subnet };
  };
  return [
    ...Array.from({ length: 15 }, (_, at) => gatewayOf('172.17.0.0', 16, at)),
    ...Array.from({ length: 16 }, (_, at) => gatewayOf('192.168.0.0', 20, at)),
  ];
}
