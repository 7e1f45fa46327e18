import { expect, it } from 'vitest';
import { AddressPool } from './address-pool.ts';
import { defaultSubnets, freeSubnet } from './default-pools.ts';
import type { Pool } from './networks.ts';
import {
  formatInterfaceAddress,
  formatSubnet,
  overlaps,
  parseCidr,
  parseInterfaceAddress,
  readSubnet,
} from './subnet.ts';

it.each([
  '10.0.0.1',
  '10.0.0.1/7',
  '10.0.0.1/31',
  '10.0.0.0/24',
  '10.0.0.255/24',
  '10.0.0/24',
  'fd00::1/64',
  ' 10.0.0.1/24',
  '10.0.0.1/2 4',
  '',
])('refuses %j as address of a bridge', (text) => {
  expect(() => parseInterfaceAddress(text)).toThrow('invalid bridge address');
});

it('reads and prints addresses up to the last', () => {
  for (const text of ['10.0.0.1/8', '172.31.255.254/16', '192.168.240.17/28', '223.255.255.253/30'])
    expect(formatInterfaceAddress(parseInterfaceAddress(text))).toBe(text);
  expect(formatSubnet(parseInterfaceAddress('192.168.250.17/20').subnet)).toBe('192.168.240.0/20');
  expect(formatSubnet(readSubnet('fd00:9:0:1:2::/64'))).toBe('fd00:9:0:1::/64');
  for (const text of ['10.0.0.0/33', '10.0.0.0', 'fd00::/129', '10.0.0.0/8/8', 'x/8', '10.0.0.0/-1'])
    expect(parseCidr(text)).toBeNull();
});

it('knows networks that overlap', () => {
  const overlap = (one: string, other: string): boolean => overlaps(readSubnet(one), readSubnet(other));
  expect(overlap('172.17.0.0/16', '172.17.255.0/24')).toBe(true);
  expect(overlap('172.17.255.0/24', '172.16.0.0/12')).toBe(true);
  expect(overlap('172.17.0.0/16', '172.18.0.0/16')).toBe(false);
  expect(overlap('fd00::/64', 'fd00::1:0:0:0/80')).toBe(true);
  expect(overlap('fd00::/64', 'fd00:0:0:1::/64')).toBe(false);
});

it("has docker's default pools, in docker's order, and an IPv6 network of the engine's own", () => {
  const pools = [...defaultSubnets(4, 'one')].map(formatSubnet);
  expect(pools).toHaveLength(31);
  expect([pools[0], pools[14], pools[15], pools[30]]).toEqual([
    '172.17.0.0/16',
    '172.31.0.0/16',
    '192.168.0.0/20',
    '192.168.240.0/20',
  ]);
  const first = (engineId: string): string =>
    formatSubnet(defaultSubnets(6, engineId).next().value ?? readSubnet('::/0'));
  expect(first('one')).toMatch(/^fd[0-9a-f:]+::\/64$/);
  expect(first('one')).not.toBe(first('two'));
});

it('chooses the first subnet that nobody uses, and one further on after a clash', () => {
  const used = [readSubnet('172.16.0.0/14'), readSubnet('172.21.3.4/32')];
  const choose = (luck: number): string => {
    const subnet = freeSubnet({ family: 4, engineId: 'one', used, luck });
    return subnet === null ? '' : formatSubnet(subnet);
  };
  expect(choose(0)).toBe('172.20.0.0/16');
  expect(choose(1)).toBe('172.22.0.0/16');
  expect(freeSubnet({ family: 4, engineId: 'one', used: [readSubnet('0.0.0.0/0')], luck: 0 })).toBeNull();
});

const pool = (change: Partial<Pool>): AddressPool =>
  new AddressPool({
    family: 4,
    subnet: '10.0.0.0/29',
    range: '10.0.0.0/29',
    gateway: '10.0.0.1',
    excluded: [],
    isGiven: true,
    ...change,
  });

it('gives the lowest free address, and says when there is none', () => {
  const addresses = pool({});
  expect([addresses.take(), addresses.take(), addresses.take()]).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4']);
  addresses.give('10.0.0.3');
  expect([addresses.take(), addresses.take(), addresses.take(), addresses.take()]).toEqual([
    '10.0.0.3',
    '10.0.0.5',
    '10.0.0.6',
    null,
  ]);
  addresses.give('10.0.0.1');
  expect(addresses.take()).toBeNull();
});

it('keeps to its range, around the gateway, strangers and addresses that are held already', () => {
  const addresses = pool({
    subnet: '10.0.0.0/24',
    range: '10.0.0.64/29',
    gateway: '10.0.0.64',
    excluded: ['10.0.0.66'],
  });
  addresses.hold('10.0.0.67');
  expect([addresses.take(), addresses.take()]).toEqual(['10.0.0.65', '10.0.0.68']);
  expect(addresses.takeExactly('10.0.0.66')).toBe('in-use');
  expect(addresses.takeExactly('10.0.0.200')).toBe('taken');
  expect(addresses.takeExactly('10.0.1.1')).toBe('elsewhere');
});

it('gives the last address of an IPv6 network and of a range, but not the first of a network', () => {
  const ipv6 = pool({ family: 6, subnet: 'fd00::/126', range: 'fd00::/126', gateway: null });
  expect([ipv6.take(), ipv6.take(), ipv6.take(), ipv6.take()]).toEqual(['fd00::1', 'fd00::2', 'fd00::3', null]);
  const ranged = pool({ subnet: '10.0.0.0/24', range: '10.0.0.8/30', gateway: null });
  expect([ranged.take(), ranged.take(), ranged.take(), ranged.take(), ranged.take()]).toEqual([
    '10.0.0.8',
    '10.0.0.9',
    '10.0.0.10',
    '10.0.0.11',
    null,
  ]);
});
