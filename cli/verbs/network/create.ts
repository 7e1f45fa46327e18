import { isIP } from 'node:net';
import type { CreateNetworkBody, IpamPool } from '../../../api/networks.ts';
import { parseLabels } from '../../container-spec/environment.ts';
import { flag } from '../../flags/flag.ts';
import type { ValuesOf } from '../../flags/flag.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

const flags = {
  attachable: flag.switch({ help: 'Enable manual container attachment' }),
  auxAddress: flag.map({ help: 'Auxiliary IPv4 or IPv6 addresses used by Network driver' }),
  configFrom: flag.text({ help: 'The network from which to copy the configuration', offers: 'network' }),
  configOnly: flag.switch({ help: 'Create a configuration only network' }),
  driver: flag.text({
    short: 'd',
    help: 'Driver to manage the Network',
    standard: '"bridge"',
    offers: ['bridge', 'macvlan', 'ipvlan'],
  }),
  gateway: flag.words({ help: 'IPv4 or IPv6 Gateway for the master subnet' }),
  ingress: flag.switch({ help: 'Create swarm routing-mesh network' }),
  internal: flag.switch({ help: 'Restrict external access to the network' }),
  ipRange: flag.words({ help: 'Allocate container ip from a sub-range' }),
  ipamDriver: flag.text({ help: 'IP Address Management Driver', standard: '"default"' }),
  ipamOpt: flag.map({ help: 'Set IPAM driver specific options' }),
  ipv4: flag.choice({ help: 'Enable or disable IPv4 address assignment', standard: 'true' }),
  ipv6: flag.choice({ help: 'Enable or disable IPv6 address assignment' }),
  label: flag.list({ help: 'Set metadata on a network' }),
  opt: flag.map({ short: 'o', help: 'Set driver specific options' }),
  scope: flag.text({ help: "Control the network's scope" }),
  subnet: flag.words({ help: 'Subnet in CIDR format that represents a network segment' }),
};

export const create = defineVerb({
  usage: '[OPTIONS] NETWORK',
  summary: 'Create a network',
  flags,
  min: 1,
  max: 1,
  examples: [
    ['backend', 'Containers in it find each other by name'],
    ['--subnet 10.5.0.0/16 --gateway 10.5.0.1 backend', 'With addresses of your choice'],
    ['--internal backend', 'Without a way out'],
  ],
  async run({ flags: given, args: [name = ''], context }) {
    const body: CreateNetworkBody = {
      Name: name,
      Driver: given.driver ?? 'bridge',
      Options: given.opt,
      Labels: parseLabels(given.label),
      Internal: given.internal,
      Attachable: given.attachable,
      Ingress: given.ingress,
      ConfigOnly: given.configOnly,
      IPAM: { Driver: given.ipamDriver ?? 'default', Options: given.ipamOpt, Config: poolsOf(given) },
      ...(given.scope === undefined ? {} : { Scope: given.scope }),
      ...(given.configFrom === undefined ? {} : { ConfigFrom: { Network: given.configFrom } }),
      ...(given.ipv4 === undefined ? {} : { EnableIPv4: given.ipv4 }),
      ...(given.ipv6 === undefined ? {} : { EnableIPv6: given.ipv6 }),
    };
    const { Id, Warning } = await context.engine.networks.create(body);
    if (Warning) await writeLines(context.stderr, [`WARNING: ${Warning}`]);
    await writeLines(context.stdout, [Id]);
    return 0;
  },
});

/** Puts ranges, gateways and further addresses to the subnets that they are in. Throws CommandError in docker's words. */
function poolsOf({ subnet, ipRange, gateway, auxAddress }: ValuesOf<typeof flags>): IpamPool[] {
  if (subnet.length < ipRange.length || subnet.length < gateway.length) {
    throw new CommandError('every ip-range or gateway must have a corresponding subnet');
  }
  const pools = new Map<
    string,
    { Subnet: string; IPRange?: string; Gateway?: string; AuxiliaryAddresses?: Record<string, string> }
  >();
  for (const text of subnet) {
    for (const other of pools.keys()) {
      if (isWithin(text, other) || isWithin(other, text)) {
        throw new CommandError('multiple overlapping subnet configuration is not supported');
      }
    }
    pools.set(text, { Subnet: text });
  }
  const poolOf = (address: string, what: string): NonNullable<ReturnType<typeof pools.get>> => {
    for (const [text, pool] of pools) if (isWithin(address, text)) return pool;
    throw new CommandError(`no matching subnet for ${what} ${address}`);
  };
  for (const range of ipRange) {
    const pool = poolOf(range, 'range');
    if (pool.IPRange !== undefined)
      throw new CommandError(
        `cannot configure multiple ranges (${range}, ${pool.IPRange}) on the same subnet (${pool.Subnet})`,
      );
    pool.IPRange = range;
  }
  for (const address of gateway) {
    if (isIP(address) === 0) throw new CommandError(`invalid gateway address: ${address}`);
    const pool = poolOf(address, 'gateway');
    if (pool.Gateway !== undefined)
      throw new CommandError(
        `cannot configure multiple gateways (${address}, ${pool.Gateway}) for the same subnet (${pool.Subnet})`,
      );
    pool.Gateway = address;
  }
  for (const [name, address] of Object.entries(auxAddress)) {
    const pool = poolOf(address, 'aux-address');
    pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address };
  }
  return [...pools.values()];
}

/** Whether an address or a subnet lies in a subnet. What is none of these lies nowhere: the engine says what is wrong with it. */
function isWithin(inner: string, outer: string): boolean {
  const [address = ''] = inner.split('/');
  const [base = '', bits = ''] = outer.split('/');
  if (isIP(address) === 0 || isIP(address) !== isIP(base) || !/^\d+$/.test(bits)) return false;
  return bitsOf(address).slice(0, Number(bits)) === bitsOf(base).slice(0, Number(bits));
}

function bitsOf(address: string): string {
  if (isIP(address) === 4)
    return address
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  // A URL writes addresses without shortened or mapped parts but for `::`.
  const [left = '', right] = new URL(`http://[${address.split('%')[0] ?? ''}]`).hostname.slice(1, -1).split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const middle = right === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...middle, ...tail].map((part) => parseInt(part, 16).toString(2).padStart(16, '0')).join('');
}
