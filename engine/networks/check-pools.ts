import { isIP } from 'node:net';
import { invalid } from '../model/errors.ts';
import type { ShownPool } from './networks.ts';
import { type Subnet, addressNumber, contains, familyOf, formatSubnet, parseCidr } from './subnet.ts';

/** Every mistake in the pools that a client names, in dockerd's words and at once. Throws `invalid`. */
export function checkPools(pools: readonly ShownPool[]): void {
  const mistakes = pools.flatMap(mistakesOf);
  if (mistakes.length > 0) throw invalid(`invalid network config:\n${joined(mistakes)}`);
}

/** One line alone, several as a list: so dockerd tells several mistakes at once. */
export function joined(mistakes: readonly string[]): string {
  return mistakes.length === 1 ? mistakes.join() : mistakes.map((mistake) => `* ${mistake}`).join('\n');
}

function mistakesOf(pool: ShownPool): readonly string[] {
  const parsed = parseCidr(pool.subnet);
  if (parsed === null) return [`invalid subnet ${pool.subnet}: invalid CIDR block notation`];
  const { subnet } = parsed;
  const range = rangeMistake(pool.ipRange, subnet);
  const gateway = pool.gateway === '' ? null : addressMistake(pool.gateway, subnet);
  return [
    ...(parsed.address === subnet.base ? [] : [`invalid subnet ${pool.subnet}: it should be ${formatSubnet(subnet)}`]),
    ...(range === null ? [] : [`invalid ip-range ${pool.ipRange}: ${range}`]),
    ...(gateway === null ? [] : [`invalid gateway ${pool.gateway}: ${gateway}`]),
    ...Object.entries(pool.auxiliary).flatMap(([name, address]) => {
      const mistake = addressMistake(address, subnet);
      return mistake === null ? [] : [`invalid auxiliary address ${name}: ${mistake}`];
    }),
  ];
}

function rangeMistake(text: string, subnet: Subnet): string | null {
  if (text === '') return null;
  const parsed = parseCidr(text);
  if (parsed === null) return 'invalid CIDR block notation';
  const range = parsed.subnet;
  if (range.family !== subnet.family) return `parent subnet is an IPv${subnet.family} block`;
  if (range.prefixLength < subnet.prefixLength)
    return `CIDR block is bigger than its parent subnet ${formatSubnet(subnet)}`;
  if (parsed.address !== range.base) return `it should be ${formatSubnet(range)}`;
  if (!contains(subnet, range.base)) return `parent subnet ${formatSubnet(subnet)} doesn't contain ip-range`;
  return null;
}

function addressMistake(text: string, subnet: Subnet): string | null {
  const address = addressNumber(text);
  if (isIP(text) === 0 || address === null) return 'invalid address';
  if (familyOf(text) !== subnet.family) return `parent subnet is an IPv${subnet.family} block`;
  if (!contains(subnet, address)) return `parent subnet ${formatSubnet(subnet)} doesn't contain this address`;
  return null;
}
