import { ipBytes, ipText } from '../kernel/ip-bytes.ts';
import { invalid } from '../model/errors.ts';

export type Family = 4 | 6;

/** A network of either family: its first address as a number, and the length of its prefix. */
export interface Subnet {
  readonly family: Family;
  readonly base: bigint;
  readonly prefixLength: number;
}

/** An address in its network, as an interface has it: `172.17.0.1/16`. */
export interface InterfaceAddress {
  readonly address: bigint;
  readonly subnet: Subnet;
}

/** Reads `172.17.0.1/16`. Throws `invalid` for anything else, and for networks too small for a gateway and a container. */
export function parseInterfaceAddress(text: string): InterfaceAddress {
  const parsed = parseCidr(text);
  const prefixLength = parsed?.subnet.prefixLength ?? 0;
  if (parsed?.subnet.family !== 4 || prefixLength < 8 || prefixLength > 30)
    throw invalid(
      `invalid bridge address ${text}: expected an IPv4 address with a prefix of 8 to 30 bits, like 172.17.0.1/16`,
    );
  if (parsed.address === parsed.subnet.base || parsed.address === lastAddress(parsed.subnet))
    throw invalid(`invalid bridge address ${text}: the first and the last address of a network belong to no interface`);
  return parsed;
}

/** An address with its prefix, of either family; null when it is none. */
export function parseCidr(text: string): InterfaceAddress | null {
  const [address = '', length = '', ...more] = text.split('/');
  const value = addressNumber(address);
  if (value === null || more.length > 0 || !/^\d{1,3}$/.test(length)) return null;
  const family = familyOf(address);
  if (Number(length) > bitsOf(family)) return null;
  return { address: value, subnet: subnetOf({ family, address: value, prefixLength: Number(length) }) };
}

/** A network that something of ours wrote. Throws RangeError when it is none. */
export function readSubnet(text: string): Subnet {
  const parsed = parseCidr(text);
  if (parsed === null) throw new RangeError(`no subnet: ${text}`);
  return parsed.subnet;
}

export function formatInterfaceAddress({ address, subnet }: InterfaceAddress): string {
  return `${addressText(subnet.family, address)}/${subnet.prefixLength}`;
}

export function formatSubnet(subnet: Subnet): string {
  return formatInterfaceAddress({ address: subnet.base, subnet });
}

export function subnetOf(parts: {
  readonly family: Family;
  readonly address: bigint;
  readonly prefixLength: number;
}): Subnet {
  const { family, address, prefixLength } = parts;
  const hostBits = BigInt(bitsOf(family) - prefixLength);
  return { family, base: (address >> hostBits) << hostBits, prefixLength };
}

/** The broadcast address, for IPv4. */
export function lastAddress(subnet: Subnet): bigint {
  return subnet.base + (1n << BigInt(bitsOf(subnet.family) - subnet.prefixLength)) - 1n;
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return one.family === other.family && one.base <= lastAddress(other) && other.base <= lastAddress(one);
}

export function contains(subnet: Subnet, address: bigint): boolean {
  return address >= subnet.base && address <= lastAddress(subnet);
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/** Null when it is no address. */
export function addressNumber(text: string): bigint | null {
  try {
    return BigInt(`0x${ipBytes(text).toString('hex')}`);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

export function addressText(family: Family, address: bigint): string {
  return ipText(Buffer.from(address.toString(16).padStart(bitsOf(family) / 4, '0'), 'hex'));
}

function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}
