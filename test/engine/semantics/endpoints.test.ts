/** What clients see of containers in networks; how packets go is tested in `engine/networks/` and in `reachability.test.ts`. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { enterFreshNetwork } from '../../../engine/lab/network-lab.ts';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { pastEvents } from '../event-log.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';
import { type Shown, networkCalls } from './network-calls.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: endpoints', () => {
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

  const { api, make, said, creatingIn, connecting, disconnecting, keep, networksOf, inspect, inside } = networkCalls(
    () => engine.socket,
    () => boxes,
  );

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
});
