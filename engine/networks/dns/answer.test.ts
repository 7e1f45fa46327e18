import { type RecordType, decode, encode } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { decide, refusal, reversedAddress } from './answer.ts';

const view = {
  addressesOf: (name: string) => (name === 'web' ? ['10.0.0.1', 'fd00::1'] : null),
  nameOf: (address: string) => (address === '10.0.0.1' ? 'web.net' : null),
  asksForDomains: false,
};
const parts = { view, transport: 'udp', random: () => 0 } as const;

function question(name: string, type: RecordType, more: object = {}): Buffer {
  return encode({ type: 'query', id: 0xabcd, flags: 0x0100, questions: [{ name, type, ...more }] });
}

describe('decide', () => {
  it.each([
    ['web', 'A', ['10.0.0.1']],
    ['web', 'AAAA', ['fd00::1']],
    ['web', 'MX', []],
    ['1.0.0.10.in-addr.arpa', 'PTR', ['web.net']],
  ] as const)('answers %s %s', (name, type, data) => {
    const decision = decide(question(name, type), parts);
    if (decision.kind !== 'answer') throw new Error(decision.kind);
    const packet = decode(decision.bytes);
    expect(packet).toMatchObject({ id: 0xabcd, rcode: 'NOERROR', flag_ra: true, flag_rd: true, flag_aa: false });
    expect(packet.questions).toEqual([{ name, type, class: 'IN' }]);
    expect(
      packet.answers?.map((answer) => [answer.name, 'ttl' in answer && answer.ttl, 'data' in answer && answer.data]),
    ).toEqual(data.map((one) => [name, 600, one]));
  });

  it.each([
    ['other', 'A', {}],
    ['web', 'TXT', {}],
    ['web', 'SRV', {}],
    ['9.0.0.10.in-addr.arpa', 'PTR', {}],
    ['web', 'A', { class: 'CH' }],
    ['wéb', 'A', {}],
  ] as const)('passes %s %s on', (name, type, more) => {
    expect(decide(question(name, type, more), parts)).toEqual({ kind: 'forward' });
  });

  it('answers nothing to answers and to what is no message, FORMERR to what it cannot read', () => {
    expect(decide(Buffer.alloc(11), parts)).toEqual({ kind: 'ignore' });
    expect(decide(encode({ type: 'response', id: 1, questions: [] }), parts)).toEqual({ kind: 'ignore' });
    const none = decide(encode({ type: 'query', id: 1, questions: [] }), parts);
    expect(none.kind === 'answer' && decode(none.bytes)).toMatchObject({ rcode: 'FORMERR', id: 1 });
  });

  it('is never brought down by bytes', () => {
    let seed = 1;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    const base = question('web', 'A');
    for (let round = 0; round < 5000; round += 1) {
      const bytes = Buffer.concat([base, Buffer.alloc(random(30), random(256))]);
      for (let change = 0; change < 4; change += 1) bytes[random(bytes.length)] = random(256);
      const decision = decide(bytes.subarray(0, random(bytes.length + 1)), parts);
      expect(['answer', 'forward', 'ignore']).toContain(decision.kind);
    }
  });
});

it('refuses with the question that was asked', () => {
  const packet = decode(refusal(question('WEB', 'TXT'), 2));
  expect(packet).toMatchObject({ id: 0xabcd, rcode: 'SERVFAIL', flag_rd: true, flag_ra: false });
  expect(packet.questions).toEqual([{ name: 'WEB', type: 'TXT', class: 'IN' }]);
});

it.each([
  ['4.3.2.1.in-addr.arpa', '1.2.3.4'],
  ['4.3.2.in-addr.arpa', null],
  ['400.3.2.1.in-addr.arpa', null],
  [`1.${'0.'.repeat(28)}8.e.f.ip6.arpa`, 'fe80::1'],
  ['1.2.ip6.arpa', null],
  ['web', null],
])('reads the address out of %s', (name, address) => {
  expect(reversedAddress(name)).toBe(address);
});
