import { expect, it } from 'vitest';
import { AddressPool } from './address-pool.ts';
import {
  addressNumber,
  addressText,
  defaultPools,
  formatInterfaceAddress,
  formatSubnet,
  overlaps,
  parseInterfaceAddress,
  subnetOf,
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
  expect(addressText(addressNumber('255.255.255.255'))).toBe('255.255.255.255');
  expect(formatSubnet(parseInterfaceAddress('192.168.250.17/20').subnet)).toBe('192.168.240.0/20');
});

it('knows networks that overlap', () => {
  const net = (text: string, length: number) => subnetOf(addressNumber(text), length);
  expect(overlaps(net('172.17.0.0', 16), net('172.17.255.0', 24))).toBe(true);
  expect(overlaps(net('172.17.255.0', 24), net('172.16.0.0', 12))).toBe(true);
  expect(overlaps(net('172.17.0.0', 16), net('172.18.0.0', 16))).toBe(false);
});

it("has docker's default pools, in docker's order", () => {
  const pools = defaultPools().map(formatInterfaceAddress);
  expect(pools).toHaveLength(31);
  expect([pools[0], pools[14], pools[15], pools[30]]).toEqual([
    '172.17.0.1/16',
    '172.31.0.1/16',
    '192.168.0.1/20',
    '192.168.240.1/20',
  ]);
});

it('gives addresses in increasing order, reuses them late, and says when there is none', () => {
  const pool = new AddressPool(parseInterfaceAddress('10.0.0.1/29'));
  expect([pool.take('n'), pool.take('n')]).toEqual(['10.0.0.2', '10.0.0.3']);
  pool.give('10.0.0.2');
  expect([pool.take('n'), pool.take('n'), pool.take('n')]).toEqual(['10.0.0.4', '10.0.0.5', '10.0.0.6']);
  expect(pool.take('n')).toBe('10.0.0.2');
  expect(() => pool.take('bridge')).toThrow("no available IPv4 addresses on this network's address pools: bridge");
  pool.give('10.0.0.1');
  expect(() => pool.take('bridge')).toThrow('no available');
  pool.give('10.0.0.5');
  expect(pool.take('n')).toBe('10.0.0.5');
});

it('goes on after the addresses that are held already, around a gateway in the middle', () => {
  const pool = new AddressPool(parseInterfaceAddress('10.0.0.4/29'));
  pool.hold('10.0.0.3');
  expect([pool.take('n'), pool.take('n')]).toEqual(['10.0.0.5', '10.0.0.6']);
  pool.hold('10.0.0.6');
  expect(pool.take('n')).toBe('10.0.0.1');
});
