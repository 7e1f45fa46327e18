import { expect, it } from 'vitest';
import { ipBytes, ipText } from './ip-bytes.ts';

it.each([
  ['172.17.0.1', '172.17.0.1'],
  ['::', '::'],
  ['::1', '::1'],
  ['fe80::', 'fe80::'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['fd00:0:0:9::2', 'fd00:0:0:9::2'],
  ['::ffff:10.0.0.1', '::ffff:a00:1'],
])('reads %s and writes it as %s', (given, canonical) => {
  expect(ipText(ipBytes(given))).toBe(canonical);
});

it.each(['', '10.0.0', '1::2::3', 'fe80::1%eth0', 'x'])('refuses %j', (text) => {
  expect(() => ipBytes(text)).toThrow(RangeError);
});
