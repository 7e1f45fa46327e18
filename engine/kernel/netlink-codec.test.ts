import { expect, it } from 'vitest';
import { decodeAttributes, decodeError, decodeMessages, encodeMessage } from './netlink-codec.ts';
import {
  addAddress,
  addDefaultRoute,
  deleteDefaultRoute,
  parseAddress,
  parseRoute,
  setDefaultRoute,
} from './rtnetlink-addresses.ts';
import { createBridge, createChild, createVethPair, parseLink } from './rtnetlink.ts';

const hex = (bytes: Buffer): string => bytes.toString('hex');
const bytes = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

it('writes a header of sixteen bytes and pads to four', () => {
  const message = encodeMessage({ type: 16, flags: 0x605, sequence: 7, body: bytes('0a0b0c') });
  expect(hex(message)).toBe('13000000' + '1000' + '0506' + '07000000' + '00000000' + '0a0b0c' + '00');
});

it('reads several messages of one datagram and refuses lengths that lead out of it', () => {
  const one = encodeMessage({ type: 2, flags: 0, sequence: 1, body: bytes('00000000') });
  const two = encodeMessage({ type: 3, flags: 0, sequence: 2, body: bytes('aabb') });
  expect([...decodeMessages(Buffer.concat([one, two]))]).toEqual([
    { type: 2, sequence: 1, body: bytes('00000000') },
    { type: 3, sequence: 2, body: bytes('aabb') },
  ]);
  const broken = Buffer.from(one);
  broken.writeUInt32LE(400, 0);
  expect(() => [...decodeMessages(broken)]).toThrow('broken length');
  expect(() => decodeAttributes(bytes('0300 0100'))).toThrow('broken length');
  expect(() => decodeAttributes(bytes('0900 0100 aabbccdd'))).toThrow('broken length');
});

it("reads an error with the kernel's reason, whether the request is repeated in it or not", () => {
  const header = (flags: string): string => `18000000 1000 ${flags} 01000000 00000000`;
  const reason = '0d00 0100 746f6f206c6f6e6700 000000';
  expect(decodeError(bytes(`deffffff ${header('0003')} ${reason}`))).toEqual({ errno: 34, reason: 'too long' });
  expect(decodeError(bytes(`deffffff ${header('0002')} 1122334455667788 ${reason}`))).toEqual({
    errno: 34,
    reason: 'too long',
  });
  expect(decodeError(bytes(`00000000 ${header('0001')}`))).toEqual({ errno: 0, reason: '' });
});

it('asks for a bridge with its own address', () => {
  expect(hex(createBridge({ name: 'sk0', macAddress: '02:00:00:00:00:01' }).body)).toBe(
    '00'.repeat(16) +
      '08000300736b3000' +
      '0a000100020000000001' +
      '0000' +
      '10001280' +
      '0b000100627269646765' +
      '0000',
  );
});

it('asks for a pair of interfaces, the other end in another namespace', () => {
  const request = createVethPair({
    name: 'v1',
    masterIndex: 5,
    peer: { name: 'eth0', macAddress: '02:00:00:00:00:02', netnsFd: 9 },
  });
  const peer = '00'.repeat(16) + '0900030065746830' + '00000000' + '0a000100020000000002' + '0000' + '08001c0009000000';
  const data = '38000280' + '34000180' + peer;
  expect(hex(request.body)).toBe(
    '00000000' + '00000000' + '01000000' + '01000000' + '070003007631' + '0000' + '08000a0005000000' +
      '48001280' + '0900010076657468' + '00000000' + data,
  ); // prettier-ignore
});

it('writes addresses with their broadcast address, and a default route', () => {
  expect(hex(addAddress({ index: 3, address: '172.17.0.2', prefixLength: 16 }).body)).toBe(
    '0210000003000000' + '08000100ac110002' + '08000200ac110002' + '08000400ac11ffff',
  );
  expect(hex(addDefaultRoute({ gateway: '172.17.0.1' }).body)).toBe(
    '02000000fe030001' + '00000000' + '08000500ac110001',
  );
  expect(() => addDefaultRoute({ gateway: '172.17.0' })).toThrow('no IP address: 172.17.0');
});

it('reads links, addresses and routes', () => {
  const link =
    '00000100 04000000 43100000 00000000' +
    '0700030076310000' +
    '08000a0003000000' +
    '10001200' +
    '0900010076657468' +
    '00000000';
  expect(parseLink(bytes(link))).toEqual({
    index: 4,
    name: 'v1',
    isUp: true,
    isRunning: true,
    kind: 'veth',
    masterIndex: 3,
  });
  expect(parseAddress(bytes('02188000 02000000' + '08000100c6336401' + '08000200c6336401'))).toEqual({
    family: 4,
    linkIndex: 2,
    address: '198.51.100.1',
    prefixLength: 24,
  });
  const route = '02 10 00 00 fe 02 fd 01 00000000' + '08000f00fe000000' + '08000100ac110000' + '0800040003000000';
  expect(parseRoute(bytes(route))).toEqual({
    family: 4,
    destination: '172.17.0.0',
    prefixLength: 16,
    linkIndex: 3,
    gateway: null,
    table: 254,
  });
});

it('speaks of IPv6 addresses and routes', () => {
  expect(hex(addAddress({ index: 3, address: 'fd00:9::2', prefixLength: 64 }).body)).toBe(
    '0a40020003000000' + '14000100fd000009000000000000000000000002' + '14000200fd000009000000000000000000000002',
  );
  expect(hex(setDefaultRoute({ family: 6, gateway: 'fd00:9::1', index: 3 }).body)).toBe(
    '0a000000fe030001' + '00000000' + '14000500fd000009000000000000000000000001' + '0800040003000000',
  );
  expect(hex(setDefaultRoute({ family: 4, gateway: null, index: 3 }).body)).toBe(
    '02000000fe03fd01' + '00000000' + '0800040003000000',
  );
  expect(hex(deleteDefaultRoute({ family: 4 }).body)).toBe('02000000fe00ff00' + '00000000');
});

it('makes interfaces on top of others', () => {
  const common = { name: 'eth0', parentIndex: 7, macAddress: null, mtu: null, netnsFd: 5 };
  const before = '00'.repeat(16) + '0900030065746830' + '00000000' + '0800050007000000' + '08001c0005000000';
  expect(hex(createChild({ ...common, kind: 'macvlan', mode: 'bridge' }).body)).toBe(
    before + '1c001280' + '0c0001006d6163766c616e00' + '0c000280' + '0800010004000000',
  );
  expect(hex(createChild({ ...common, kind: 'ipvlan', mode: 'l3', flag: 'private' }).body)).toBe(
    before + '24001280' + '0b0001006970766c616e0000' + '14000280' + '0600010001000000' + '0600020001000000',
  );
  expect(hex(createChild({ ...common, netnsFd: null, kind: 'vlan', tag: 10 }).body)).toContain('0600010' + '00a00');
});
