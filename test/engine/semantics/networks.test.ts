/** What clients see of networks; how packets go is tested in `engine/networks/` and in `reachability.test.ts`. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { enterFreshNetwork } from '../../../engine/lab/network-lab.ts';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { pastEvents } from '../event-log.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';
import { networkCalls } from './network-calls.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: networks', () => {
  const stack = new AsyncDisposableStack();
  let engine: RunningEngine;
  let boxes: Boxes;

  beforeAll(async () => {
    // Nothing but the engine is there: its choice of subnets is the same everywhere.
    stack.use(enterFreshNetwork());
    engine = stack.use(await startEngine());
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => stack.disposeAsync());
  afterEach(async () => {
    const containers = (await api('GET', '/containers/json?all=1')).json() as readonly { readonly Id: string }[];
    await Promise.all(containers.map(({ Id }) => boxes.remove(Id)));
    await api('POST', '/networks/prune');
  });

  const {
    api,
    make,
    said,
    creating,
    creatingIn,
    connecting,
    disconnecting,
    keep,
    networksOf,
    inspect,
    listed,
    inside,
  } = networkCalls(
    () => engine.socket,
    () => boxes,
  );

  it('3: networks are found by id, then name, then the beginning of an id', async () => {
    const one = await make('one');
    const other = await make(one.slice(0, 12));
    expect((await inspect(one)).Name).toBe('one');
    expect((await inspect('one')).Id).toBe(one);
    expect((await inspect(one.slice(0, 12))).Id).toBe(other);
    expect((await inspect(one.slice(0, 20))).Id).toBe(one);
    expect(await said(api('GET', '/networks/nope'))).toBe('404 network nope not found');
    expect(await said(api('GET', '/networks/one?scope=swarm'))).toBe('404 network one not found');
  });

  it('3: networks are listed by name, id, driver, scope, type, labels and use', async () => {
    const id = await make('used', { Labels: { tier: 'front' } });
    await make('spare', { Internal: true });
    await keep('user', 'used');
    expect(await listed({})).toEqual(['bridge', 'host', 'none', 'used', 'spare']);
    expect(await listed({ name: ['spar', 'use'] })).toEqual(['used', 'spare']);
    expect(await listed({ id: [id.slice(3, 12)] })).toEqual(['used']);
    expect(await listed({ driver: ['null'] })).toEqual(['none']);
    expect(await listed({ type: ['custom'] })).toEqual(['used', 'spare']);
    expect(await listed({ label: ['tier=front'] })).toEqual(['used']);
    expect(await listed({ dangling: ['true'] })).toEqual(['spare']);
    expect(await listed({ scope: ['global'] })).toEqual([]);
    const wrong = (filters: object): Promise<string> =>
      said(api('GET', `/networks?filters=${JSON.stringify(filters)}`));
    expect(await wrong({ nope: ['x'] })).toBe("400 invalid filter 'nope'");
    expect(await wrong({ type: ['x'] })).toBe("500 invalid filter: 'type'='x'");
    expect(await wrong({ dangling: ['x'] })).toContain("400 invalid value for filter 'dangling'");
  });

  it('66: an internal network gives no way out', async () => {
    await make('inner', { Internal: true });
    await keep('box', 'inner');
    const { inner } = await networksOf('box');
    expect(inner).toMatchObject({ Gateway: '', IPAddress: '172.18.0.2' });
    expect(await inside('box', 'ip route')).toBe('172.18.0.0/16 dev eth0 scope link  src 172.18.0.2');
  });

  it('71: networks in use, built-in ones and taken names are refused', async () => {
    await make('red');
    await keep('box', 'red');
    const { red } = await networksOf('box');
    expect(await said(api('DELETE', '/networks/red'))).toBe(
      `403 error while removing network: network red has active endpoints (name:"box" id:"${red?.EndpointID.slice(0, 12)}")`,
    );
    for (const name of ['bridge', 'host', 'none'])
      expect(await said(api('DELETE', `/networks/${name}`))).toBe(
        `403 ${name} is a pre-defined network and cannot be removed`,
      );
    expect(await creating('red')).toBe('409 network with name red already exists');
    expect(await creating('bridge')).toBe('403 operation is not permitted on predefined bridge network ');
    expect(await creating(' ')).toBe('400 invalid name: name is empty');
    expect(await creating('x', { Driver: 'nope' })).toBe('404 plugin "nope" not found');
    expect(await creating('x', { Driver: 'host' })).toBe('403 only one instance of "host" network is allowed');
    expect(await creating('x', { Scope: 'swarm' })).toContain('403 cannot create a swarm scoped network');
    await boxes.remove('box');
    expect(await said(api('DELETE', '/networks/red'))).toBe('204');
  });

  it('71: pools and options that are wrong are told, and leave nothing', async () => {
    const pool = (config: object): Promise<string> => creating('x', { IPAM: { Config: [config] } });
    const bad = '400 invalid network config:\n';
    expect(await pool({ Subnet: '172.17.0.0/24' })).toBe(
      '403 invalid pool request: Pool overlaps with other one on this address space',
    );
    expect(await pool({ Subnet: '10.9.0.0/33' })).toBe(`${bad}invalid subnet 10.9.0.0/33: invalid CIDR block notation`);
    expect(await pool({ Subnet: '10.9.0.5/24' })).toBe(`${bad}invalid subnet 10.9.0.5/24: it should be 10.9.0.0/24`);
    expect(await pool({ Subnet: '10.9.0.0/24', Gateway: '10.8.0.1', IPRange: '10.9.0.0/20' })).toBe(
      `${bad}* invalid ip-range 10.9.0.0/20: CIDR block is bigger than its parent subnet 10.9.0.0/24\n` +
        "* invalid gateway 10.8.0.1: parent subnet 10.9.0.0/24 doesn't contain this address",
    );
    expect(await creating('x', { IPAM: { Config: [{ Subnet: '10.9.0.0/24' }, { Subnet: '10.9.1.0/24' }] } })).toBe(
      "403 bridge driver doesn't support multiple subnets",
    );
    expect(await creating('x', { EnableIPv4: false })).toBe('400 IPv4 or IPv6 must be enabled');
    const option = (key: string, value: string): Promise<string> => creating('x', { Options: { [key]: value } });
    expect(await option('com.docker.network.driver.mtu', 'x')).toContain('400 failed to parse');
    expect(await option('com.docker.network.bridge.enable_icc', 'maybe')).toContain('400 failed to parse');
    expect(await option('com.docker.network.bridge.name', 'a b')).toContain('400 invalid interface name');
    expect(await option('com.docker.network.bridge.inhibit_ipv4', 'true')).toContain('501 ');
    expect(await option('com.docker.network.bridge.gateway_mode_ipv4', 'routed')).toContain('501 ');
    expect(await option('com.docker.network.bridge.gateway_mode_ipv4', 'x')).toContain('400 invalid value');
    expect(await creating('x', { Name: 5 })).toContain('400 invalid JSON: json: cannot unmarshal number');
    expect(await listed({})).toEqual(['bridge', 'host', 'none']);
  });

  it('71: a configuration network is a template, and stays as long as others are made from it', async () => {
    await make('template', { ConfigOnly: true, IPAM: { Config: [{ Subnet: '10.77.0.0/24' }] } });
    await make('made', { ConfigFrom: { Network: 'template' } });
    expect(await inspect('made')).toMatchObject({
      ConfigFrom: { Network: 'template' },
      IPAM: { Config: [{ Subnet: '10.77.0.0/24' }] },
    });
    expect(await inspect('template')).toMatchObject({ Driver: 'null', ConfigOnly: true });
    await keep('box', 'made');
    expect((await networksOf('box'))['made']?.Gateway).toBe('10.77.0.1');
    expect(await said(api('DELETE', '/networks/template'))).toBe(
      '403 error while removing network: configuration network "template" is in use',
    );
    expect(await creating('x', { ConfigFrom: { Network: 'nope' } })).toBe(
      '404 configuration network "nope" does not exist',
    );
  });

  it('72: subnets come from the default pools, addresses are the lowest that are free', async () => {
    await Promise.all([make('one'), make('two')]);
    expect((await inspect('one')).IPAM.Config).toEqual([{ Subnet: '172.18.0.0/16', Gateway: '172.18.0.1' }]);
    const given = { Subnet: '10.9.2.0/24', IPRange: '10.9.2.64/26', Gateway: '10.9.2.3' };
    await make('given', {
      EnableIPv6: true,
      IPAM: { Config: [{ ...given, AuxiliaryAddresses: { x: '10.9.2.64' } }, { Subnet: 'fd00:9::/64' }] },
    });
    expect((await inspect('given')).IPAM.Config).toEqual([
      { ...given, AuxiliaryAddresses: { x: '10.9.2.64' } },
      { Subnet: 'fd00:9::/64' },
    ]);
    await keep('first', 'given');
    await keep('second', 'given', { IPAMConfig: { IPv4Address: '10.9.2.80', IPv6Address: 'fd00:9::77' } });
    expect((await networksOf('first'))['given']).toMatchObject({
      IPAddress: '10.9.2.65',
      Gateway: '10.9.2.3',
      GlobalIPv6Address: 'fd00:9::2',
    });
    await boxes.stop('second');
    await boxes.start('second');
    expect((await networksOf('second'))['given']?.IPAddress).toBe('10.9.2.80');
    const wanting = (network: string, IPv4Address: string): Promise<string> =>
      connecting(network, 'third', { IPAMConfig: { IPv4Address } });
    await keep('third', 'one');
    for (const taken of ['10.9.2.3', '10.9.2.64', '10.9.2.65', '10.9.2.80'])
      expect(await wanting('given', taken)).toBe('403 Address already in use');
    const bad = '400 invalid endpoint settings:\n';
    expect(await wanting('given', '10.10.0.4')).toBe(
      `${bad}no configured subnet or ip-range contain the IP address 10.10.0.4`,
    );
    expect(await wanting('two', '172.19.0.9')).toBe(
      `${bad}user specified IP address is supported only when connecting to networks with user configured subnets`,
    );
    expect(await creatingIn('bridge', { IPAMConfig: { IPv4Address: '172.17.0.9' } })).toBe(
      '400 invalid config for network bridge: invalid endpoint settings:\n' +
        '* user specified IP address is supported on user defined networks only\n' +
        '* user specified IP address is supported only when connecting to networks with user configured subnets',
    );
    expect(await creatingIn('bridge', { Aliases: ['x'] })).toContain('network-scoped alias is supported only');
    expect(await creatingIn('given', null)).toBe('400 invalid config for network given: EndpointsConfig is nil');
  });

  it('72: a network that is full says so', async () => {
    await make('tiny', { IPAM: { Config: [{ Subnet: '10.9.3.0/30' }] } });
    await keep('only', 'tiny');
    await expect(keep('late', 'tiny')).rejects.toThrow(
      "no available IPv4 addresses on this network's address pools: tiny",
    );
  });

  it('prune removes what no container uses, as filters say, and tells it', async () => {
    await make('used');
    await make('old', { Labels: { keep: 'no' } });
    await make('kept', { Labels: { keep: 'yes' } });
    await keep('box', 'used');
    const pruning = async (filters: object): Promise<unknown> =>
      (await api('POST', `/networks/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`)).json();
    expect(await pruning({ until: ['100h'] })).toEqual({ NetworksDeleted: null });
    expect(await pruning({ 'label!': ['keep=yes'] })).toEqual({ NetworksDeleted: ['old'] });
    expect(await pruning({ nope: ['x'] })).toEqual({ message: "invalid filter 'nope'" });
    expect(await pruning({})).toEqual({ NetworksDeleted: ['kept'] });
    const seen = await pastEvents(engine.socket, { type: ['network'], event: ['destroy', 'prune'] });
    expect(seen.slice(-2).map(({ Action, Actor }) => [Action, Actor.Attributes])).toEqual([
      ['destroy', { name: 'kept', type: 'bridge' }],
      ['prune', { reclaimed: '0' }],
    ]);
  });

  it('networks and their containers outlive the engine, killed or not', async () => {
    await make('red');
    const id = await keep('box', 'red', { Aliases: ['web'] });
    await connecting('bridge', 'box');
    const before = await networksOf(id);
    await engine.crash();
    await engine.start();
    expect(await networksOf(id)).toEqual(before);
    expect(await connecting('red', 'box')).toBe('403 endpoint with name box already exists in network red');
    expect(await disconnecting('red', 'box')).toBe('200');
    expect(await inside('box', 'ip -o link | cut -d: -f2 | cut -d@ -f1')).toBe('lo\n eth1');
  });
});
