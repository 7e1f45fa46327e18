/** What clients see of networks; how packets go is tested in `engine/networks/` and in `reachability.test.ts`. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { NetworkInspect } from '../../../api/networks.ts';
import { enterFreshNetwork } from '../../../engine/lab/network-lab.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { pastEvents } from '../event-log.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface Endpoint {
  readonly IPAMConfig: object | null;
  readonly Aliases: readonly string[] | null;
  readonly DNSNames: readonly string[] | null;
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  readonly IPAddress: string;
  readonly Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly IPv6Gateway: string;
}

interface Shown {
  readonly Id: string;
  readonly State: { readonly Error: string };
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: {
    readonly SandboxKey: string;
    readonly IPAddress: string;
    readonly Networks: Readonly<Record<string, Endpoint>>;
  };
}

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

  const api = (method: string, path: string, body?: unknown): Promise<Answer> =>
    call(engine.socket, method, path, body);
  const make = async (name: string, body: object = {}): Promise<string> => {
    const answer = await api('POST', '/networks/create', { Name: name, ...body });
    if (answer.status !== 201) throw new Error(answer.text);
    return (answer.json() as { Id: string }).Id;
  };
  /** Status and message: what a refusal is. */
  const said = async (answer: Promise<Answer>): Promise<string> => {
    const { status, text } = await answer;
    return text === '' ? String(status) : `${status} ${(JSON.parse(text) as { message?: string }).message ?? ''}`;
  };
  const creating = (name: string, body: object = {}): Promise<string> =>
    said(api('POST', '/networks/create', { Name: name, ...body }));
  const creatingIn = (network: string, endpoint: unknown, more: object = {}): Promise<string> =>
    said(
      api('POST', '/containers/create', {
        Image: 'hello',
        HostConfig: { NetworkMode: network },
        NetworkingConfig: { EndpointsConfig: { [network]: endpoint } },
        ...more,
      }),
    );
  const connecting = (network: string, container: string, endpoint: object = {}): Promise<string> =>
    said(api('POST', `/networks/${network}/connect`, { Container: container, EndpointConfig: endpoint }));
  const disconnecting = (network: string, container: string): Promise<string> =>
    said(api('POST', `/networks/${network}/disconnect`, { Container: container }));
  const keep = (name: string, network: string, endpoint: object = {}): Promise<string> =>
    boxes.keep({
      name,
      host: { NetworkMode: network },
      config: { NetworkingConfig: { EndpointsConfig: { [network]: endpoint } } },
    });
  const networksOf = async (container: string): Promise<Readonly<Record<string, Endpoint>>> =>
    (await boxes.inspect<Shown>(container)).NetworkSettings.Networks;
  const inspect = async (network: string): Promise<NetworkInspect> =>
    (await api('GET', `/networks/${network}`)).json() as NetworkInspect;
  const listed = async (filters: Readonly<Record<string, readonly string[]>>): Promise<readonly string[]> => {
    const answer = await api('GET', `/networks?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    return (answer.json() as readonly NetworkInspect[]).map(({ Name }) => Name);
  };
  const inside = async (container: string, script: string): Promise<string> =>
    (await docker(engine.socket, ['exec', container, 'sh', '-c', script])).stdout.trim();

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

  it('70: connect and disconnect plug interfaces into a running container, and move its default route', async () => {
    await make('red', { EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd00:9::/64' }] } });
    await make('blue');
    const id = await keep('box', 'blue');
    expect(await connecting('red', 'box', { Aliases: ['web'], IPAMConfig: { IPv6Address: 'fd00:9::77' } })).toBe('200');
    expect(await inside('box', 'ip -o link | cut -d: -f2 | cut -d@ -f1')).toBe('lo\n eth0\n eth1');
    expect(await inside('box', 'ip route | grep default; ip -6 route | grep default | cut -d" " -f1-5')).toBe(
      'default via 172.18.0.1 dev eth1 \ndefault via fd00:9::1 dev eth1',
    );
    const { red } = await networksOf('box');
    expect(red).toMatchObject({
      IPAMConfig: { IPv6Address: 'fd00:9::77' },
      Aliases: ['web'],
      DNSNames: ['box', 'web', id.slice(0, 12)],
      GlobalIPv6Address: 'fd00:9::77',
      IPv6Gateway: 'fd00:9::1',
    });
    expect((await inspect('red')).Containers).toEqual({
      [id]: {
        Name: 'box',
        EndpointID: red?.EndpointID,
        MacAddress: red?.MacAddress,
        IPv4Address: '172.18.0.2/16',
        IPv6Address: 'fd00:9::77/64',
      },
    });
    expect(await disconnecting('red', 'box')).toBe('200');
    expect(await inside('box', 'ip route | grep default')).toBe('default via 172.19.0.1 dev eth0');
    expect(await disconnecting('blue', 'box')).toBe('200');
    expect(await inside('box', 'ip -o link | cut -d: -f2')).toBe('lo');
    expect(await connecting('blue', 'box')).toBe('200');
    expect(await inside('box', 'ip -o link | cut -d: -f2 | cut -d@ -f1')).toBe('lo\n eth0');
    const events = await pastEvents(engine.socket, { type: ['network'] });
    const seen = events.filter(({ Actor }) => Actor.Attributes['container'] === id);
    expect(seen.map(({ Action, Actor }) => `${Action} ${Actor.Attributes['name'] ?? ''}`)).toEqual([
      'connect blue',
      'connect red',
      'disconnect red',
      'disconnect blue',
      'connect blue',
    ]);
  });

  it('70: the highest priority has the default route, then the network with both families, then the lowest name', async () => {
    await make('a');
    await make('b', { EnableIPv6: true });
    await make('c');
    const route = (name: string): Promise<string> => inside(name, 'ip route | grep default | cut -d" " -f3');
    const both = (name: string, endpoints: object): Promise<string> =>
      boxes.keep({
        name,
        host: { NetworkMode: 'c' },
        config: { NetworkingConfig: { EndpointsConfig: endpoints } },
      });
    await Promise.all([
      both('by-priority', { a: {}, b: {}, c: { GwPriority: 1 } }),
      both('by-families', { a: {}, b: {}, c: {} }),
      both('by-name', { c: {}, a: {} }),
    ]);
    expect(await Promise.all([route('by-priority'), route('by-families'), route('by-name')])).toEqual([
      '172.20.0.1',
      '172.19.0.1',
      '172.18.0.1',
    ]);
    expect(Object.keys(await networksOf('by-priority'))[0]).toBe('c');
  });

  it('70: what does not run keeps what was asked for, and has it at its next start', async () => {
    await make('red');
    const { id } = await boxes.create(['sleep', '600'], { name: 'box', host: { NetworkMode: 'bridge' } });
    expect(await connecting('red', 'box', { Aliases: ['web'] })).toBe('200');
    expect(await connecting('red', 'box', { Aliases: ['web'] })).toBe('200');
    expect(Object.keys(await networksOf(id))).toEqual(['bridge', 'red']);
    await boxes.start(id);
    expect((await networksOf(id))['red']).toMatchObject({ Aliases: ['web'], IPAddress: '172.18.0.2' });
    await boxes.stop(id);
    expect((await networksOf(id))['red']).toMatchObject({ IPAddress: '', MacAddress: '', EndpointID: '' });
    expect((await networksOf(id))['bridge']).toMatchObject({
      NetworkID: (await inspect('bridge')).Id,
      IPAddress: '',
      DNSNames: null,
    });
    expect(await disconnecting('red', 'box')).toBe('200');
    expect(await disconnecting('red', 'box')).toBe(`500 container ${id} is not connected to the network red`);
  });

  it('70: some networks cannot be joined, and some containers cannot join', async () => {
    await make('red');
    const id = await keep('box', 'bridge');
    await Promise.all([keep('on-host', 'host'), keep('alone', 'none')]);
    await boxes.keep({ name: 'guest', host: { NetworkMode: 'container:box' } });
    expect(await connecting('host', 'box')).toBe(
      '400 cannot connect container to host network - container must be created in host network mode',
    );
    const isPrivate =
      'container cannot be connected to multiple networks with one of the networks in private (none) mode';
    expect(await connecting('none', 'box')).toBe(`400 ${isPrivate}`);
    expect(await connecting('red', 'alone')).toBe(`400 ${isPrivate}`);
    for (const name of ['on-host', 'guest'])
      expect(await connecting('red', name)).toBe(
        '400 container sharing network namespace with another container or host cannot be connected to any other network',
      );
    expect(await connecting('bridge', 'box')).toBe('403 endpoint with name box already exists in network bridge');
    expect(await connecting('red', 'nope')).toBe('404 No such container: nope');
    expect(await connecting('nope', 'box')).toBe('404 network nope not found');
    expect(await connecting('red', '')).toBe('400 invalid name or ID supplied: ""');
    expect(await disconnecting('host', 'on-host')).toContain('400 cannot disconnect container from host network');
    expect(await disconnecting('red', 'box')).toBe(`500 container ${id} is not connected to network red`);
    expect(await said(api('POST', '/networks/red/disconnect', { Container: 'gone', Force: true }))).toBe(
      '404 endpoint gone not found',
    );
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

  it('73: a MAC address that is asked for stays, another is chosen at each start', async () => {
    await make('red');
    await Promise.all([keep('fixed', 'red', { MacAddress: '02:11:22:33:44:55' }), keep('free', 'red')]);
    const before = (await networksOf('free'))['red']?.MacAddress;
    expect(before).toMatch(/^02(:[0-9a-f]{2}){5}$/);
    await Promise.all([boxes.stop('fixed'), boxes.stop('free')]);
    expect((await networksOf('free'))['red']?.MacAddress).toBe('');
    await Promise.all([boxes.start('fixed'), boxes.start('free')]);
    expect((await networksOf('free'))['red']?.MacAddress).not.toBe(before);
    expect(await inside('fixed', 'cat /sys/class/net/eth0/address')).toBe('02:11:22:33:44:55');
    expect(await creatingIn('red', { MacAddress: 'zz' })).toBe(
      '400 invalid config for network red: invalid MAC address zz',
    );
    const answer = await api('POST', '/containers/create', { Image: 'hello', MacAddress: '02:aa:00:00:00:02' });
    expect((answer.json() as { Warnings: readonly string[] }).Warnings).toEqual([
      'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.',
    ]);
  });

  it('74: a container in the network of another has what that has, and keeps it when that starts again', async () => {
    const id = await keep('owner', 'bridge');
    await boxes.keep({ name: 'guest', host: { NetworkMode: 'container:owner' } });
    expect((await boxes.inspect<Shown>('guest')).HostConfig.NetworkMode).toBe(`container:${id}`);
    expect(await networksOf('guest')).toEqual({});
    const link = 'readlink /proc/self/ns/net';
    const shared = await inside('owner', link);
    expect(await inside('guest', link)).toBe(shared);
    await boxes.stop('owner');
    await boxes.start('owner');
    expect(await inside('guest', link)).toBe(shared);
    expect(await inside('owner', link)).not.toBe(shared);
    await boxes.stop('owner');
    await boxes.stop('guest');
    await expect(boxes.start('guest')).rejects.toThrow(
      'start: 409 {"message":"cannot join network namespace of a non running container: container owner is exited"}',
    );
    const asking = (config: object, host: object = {}): Promise<string> =>
      said(
        api('POST', '/containers/create', {
          Image: 'hello',
          ...config,
          HostConfig: { NetworkMode: 'container:owner', ...host },
        }),
      );
    expect(await asking({ Hostname: 'x' })).toBe('400 conflicting options: hostname and the network mode');
    expect(await asking({}, { Dns: ['192.0.2.1'] })).toBe('400 conflicting options: dns and the network mode');
    expect(await asking({}, { PortBindings: { '80/tcp': [{}] } })).toBe(
      '400 conflicting options: port publishing and the container type network mode',
    );
    expect(await asking({}, { NetworkMode: 'container:' })).toContain('400 invalid network mode');
    const { id: lonely } = await boxes.create('true', { host: { NetworkMode: 'container:nope' } });
    await expect(boxes.start(lonely)).rejects.toThrow(
      'joining network namespace of container: No such container: nope',
    );
  });

  it('76: endpoints have sysctls and names of their own, and wrong ones are told', async () => {
    await make('red');
    await keep('box', 'red', {
      DriverOpts: {
        'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1',
        'com.docker.network.endpoint.ifname': 'inner0',
      },
    });
    expect(await inside('box', 'cat /proc/sys/net/ipv4/conf/inner0/log_martians')).toBe('1');
    expect(
      await inside('box', 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range'),
    ).toBe('0\n0\t2147483647');
    const key = 'com.docker.network.endpoint.sysctls';
    expect(await creatingIn('red', { DriverOpts: { [key]: 'net.ipv4.conf.eth0.log_martians=1' } })).toContain(
      "400 invalid config for network red: invalid endpoint settings:\nunrecognised network interface sysctl 'net.ipv4.conf.eth0.log_martians=1'",
    );
    await expect(keep('wrong', 'red', { DriverOpts: { [key]: 'net.ipv4.conf.IFNAME.nope=1' } })).rejects.toThrow(
      '/proc/sys/net/ipv4/conf/eth0/nope is not a sysctl file',
    );
  });

  it('a container asks for its networks by name until it has started, then for the same ones by id', async () => {
    const { id } = await boxes.create(['sleep', '600'], { name: 'box', host: { NetworkMode: 'later' } });
    await expect(boxes.start(id)).rejects.toThrow(
      'start: 404 {"message":"failed to set up container networking: network later not found"}',
    );
    const first = await make('later');
    await boxes.start(id);
    await boxes.stop(id);
    await api('DELETE', '/networks/later');
    await make('later');
    await expect(boxes.start(id)).rejects.toThrow(`network ${first} not found`);
    expect((await boxes.inspect<Shown>(id)).State.Error).toContain('failed to set up container networking');
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
