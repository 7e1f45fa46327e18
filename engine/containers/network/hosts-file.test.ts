import { expect, it } from 'vitest';
import { type HostsFacts, changedHostsText, hostsText, splitExtraHost } from './hosts-file.ts';

const spec = (change: Partial<HostsFacts['spec']> = {}, extraHosts: readonly string[] = []): HostsFacts['spec'] => ({
  hostname: 'web',
  domainname: '',
  sysctls: {},
  network: { extraHosts } as HostsFacts['spec']['network'],
  ...change,
});
const plan = (...addresses: readonly (readonly [string | null, string | null])[]): HostsFacts['plan'] => ({
  endpoints: addresses.map(([ipv4, ipv6]) => ({
    ipv4: ipv4 === null ? null : { address: ipv4, prefixLength: 16, gateway: null },
    ipv6: ipv6 === null ? null : { address: ipv6, prefixLength: 64, gateway: null },
  })) as unknown as HostsFacts['plan']['endpoints'],
});
const facts = (change: Partial<HostsFacts> = {}): HostsFacts => ({
  spec: spec(),
  plan: plan(),
  hostGateway: '172.17.0.1',
  linked: [],
  ...change,
});

it('begins with localhost, then what the client added, then links, then its own names', () => {
  const text = hostsText(
    facts({
      spec: spec({ domainname: 'example.org' }, ['host.docker.internal:host-gateway', 'six=[fd00::9]']),
      plan: plan(['172.18.0.2', 'fd00::2'], ['172.19.0.2', null]),
      linked: [{ address: '172.17.0.6', alias: 'db', name: 'postgres', hostname: 'childhost' }],
    }),
  );
  expect(text).toBe(`127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
172.17.0.1\thost.docker.internal
fd00::9\tsix
172.17.0.6\tdb childhost postgres
172.18.0.2\tweb.example.org web
fd00::2\tweb.example.org web
172.19.0.2\tweb.example.org web
`);
});

it('says nothing of IPv6 to a container that has it switched off', () => {
  const text = hostsText(facts({ spec: spec({ sysctls: { 'net.ipv6.conf.all.disable_ipv6': '1' } }) }));
  expect(text).toBe('127.0.0.1\tlocalhost\n');
});

it('changes its own lines alone when networks come and go', () => {
  const before = plan(['172.18.0.2', null]);
  const text = `${hostsText(facts({ plan: before }))}9.9.9.9 nine`;
  const both = changedHostsText(text, {
    spec: spec(),
    before,
    after: plan(['172.18.0.2', null], ['172.19.0.7', null]),
  });
  expect(both).toBe(`${text}\n172.19.0.7\tweb\n`);
  const none = changedHostsText(both, {
    spec: spec(),
    before: plan(['172.18.0.2', null], ['172.19.0.7', null]),
    after: plan(),
  });
  expect(none).toBe(text.replace('172.18.0.2\tweb\n', '').concat('\n'));
});

it.each([
  ['a:1.2.3.4', 'a', '1.2.3.4'],
  ['a=1.2.3.4', 'a', '1.2.3.4'],
  ['a:::1', 'a', '::1'],
  ['a=[::1]', 'a', '::1'],
])('reads %s', (entry, name, address) => {
  expect(splitExtraHost(entry)).toEqual({ name, address });
});
