/** Where networks get their subnets from when nobody names one. */
import { createHash } from 'node:crypto';
import { type Family, type Subnet, overlaps, readSubnet, subnetOf } from './subnet.ts';

/**
 * Docker's own for IPv4: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in pieces of /20. For IPv6, pieces of /64 of a
 * network of our own, made from the engine's id (source: RFC 4193).
 */
export function* defaultSubnets(family: Family, engineId: string): Generator<Subnet, void, void> {
  if (family === 4) {
    yield* pieces({ of: '172.17.0.0/16', prefixLength: 16, count: 15 });
    yield* pieces({ of: '192.168.0.0/20', prefixLength: 20, count: 16 });
    return;
  }
  const digits = createHash('sha256').update(engineId).digest('hex').slice(0, 10);
  const prefix = `fd${digits.slice(0, 2)}:${digits.slice(2, 6)}:${digits.slice(6, 10)}::/64`;
  yield* pieces({ of: prefix, prefixLength: 64, count: 65_536 });
}

/**
 * The first of the default subnets that overlaps with none of `used`. After a clash with another engine that chose at the
 * same moment, `luck` (a byte) picks one further on, so that the two do not meet again. Null when there is none.
 */
export function freeSubnet(request: {
  readonly family: Family;
  readonly engineId: string;
  readonly used: readonly Subnet[];
  readonly luck: number;
}): Subnet | null {
  const free: Subnet[] = [];
  const wanted = request.luck === 0 ? 1 : 4;
  for (const subnet of defaultSubnets(request.family, request.engineId)) {
    if (request.used.some((other) => overlaps(other, subnet))) continue;
    free.push(subnet);
    if (free.length === wanted) break;
  }
  return free[request.luck % Math.max(1, free.length)] ?? null;
}

function* pieces(parts: {
  readonly of: string;
  readonly prefixLength: number;
  readonly count: number;
}): Generator<Subnet, void, void> {
  const { base, family } = readSubnet(parts.of);
  const size = 1n << BigInt((family === 4 ? 32 : 128) - parts.prefixLength);
  for (let at = 0; at < parts.count; at++)
    yield subnetOf({ family, address: base + BigInt(at) * size, prefixLength: parts.prefixLength });
}
