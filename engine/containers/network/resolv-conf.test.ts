import { expect, it } from 'vitest';
import { asksForDomains, asksResolver, resolvConfText } from './resolv-conf.ts';
import type { ContainerSpec } from '../spec/spec.ts';

function spec(change: Partial<ContainerSpec['network']> = {}): Pick<ContainerSpec, 'network'> {
  return { network: { dns: [], dnsSearch: [], dnsOptions: [], ...change } as ContainerSpec['network'] };
}

const host =
  'nameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver fd00::2\nsearch lan home\noptions edns0 trust-ad\n';

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

it('sends questions to the resolver, one word as it is', () => {
  const text = resolvConfText(spec(), { kind: 'resolver', host });
  expect(lines(text)).toEqual(['nameserver 127.0.0.11', 'search lan home', 'options edns0 trust-ad ndots:0']);
  expect(text).toContain('asked of: 127.0.0.53 (from the host), 10.0.0.2 (from the host), fd00::2 (from the host)');
  expect(asksResolver(text)).toBe(true);
});

it('leaves a client its own number of dots', () => {
  const own = spec({ dns: ['1.1.1.1'], dnsOptions: ['ndots:2'], dnsSearch: ['a.b', 'c'] });
  const text = resolvConfText(own, { kind: 'resolver', host });
  expect(lines(text)).toEqual(['nameserver 127.0.0.11', 'search a.b c', 'options ndots:2']);
  expect(text).toContain('asked of: 1.1.1.1\n');
  expect([asksForDomains(own, host), asksForDomains(spec(), host), asksForDomains(spec(), 'options ndots:1')]).toEqual([
    true,
    false,
    true,
  ]);
});

it("gives the default bridge the host's servers that it can reach, or public ones", () => {
  expect(lines(resolvConfText(spec(), { kind: 'direct', host }))).toEqual([
    'nameserver 10.0.0.2',
    'search lan home',
    'options edns0 trust-ad',
  ]);
  expect(lines(resolvConfText(spec(), { kind: 'direct', host: 'nameserver 127.0.0.53\ndomain lan\n' }))).toEqual([
    'nameserver 8.8.8.8',
    'nameserver 8.8.4.4',
    'search lan',
  ]);
  expect(lines(resolvConfText(spec({ dns: ['127.0.0.9'], dnsSearch: ['.'] }), { kind: 'direct', host: '' }))).toEqual([
    'nameserver 127.0.0.9',
  ]);
});

it('copies the file of the host for its own network, unless something is asked for', () => {
  expect(resolvConfText(spec(), { kind: 'host', host })).toBe(host);
  expect(lines(resolvConfText(spec({ dnsOptions: ['rotate'] }), { kind: 'host', host }))).toEqual([
    'nameserver 127.0.0.53',
    'nameserver 10.0.0.2',
    'nameserver fd00::2',
    'search lan home',
    'options rotate',
  ]);
});
