import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { openNetlink } from '../kernel/netlink.ts';
import { type NetworkNamespace, openNamespace } from '../kernel/netns.ts';
import { openNft } from '../kernel/nft.ts';
import { addDefaultRoute, listAddresses, listRoutes, parseAddress, parseRoute } from '../kernel/rtnetlink-addresses.ts';
import { listLinks, parseLink } from '../kernel/rtnetlink.ts';
import { endpointIn, networkNamed, rowsIn } from '../lab/joined-networks.ts';
import { attachOutsider, connectFrom, enterFreshNetwork } from '../lab/network-lab.ts';
import { newContainerId, newNetworkId } from '../model/ids.ts';
import type { EndpointPlan, EndpointRequest, Network, NetworkRequest, Networks, PortRequest } from './networks.ts';
import { openNetworks } from './open-networks.ts';

const hostAddress = '198.51.100.1';
const outsideAddress = '198.51.100.2';
const unanswered = expect.objectContaining({ code: 'EINPROGRESS' });
const unreachable = expect.objectContaining({ code: 'ENETUNREACH' });

describeWith(['linux', 'root'], 'networks of clients', () => {
  let folder = '';
  let lab: Disposable;
  let outside: NetworkNamespace;
  let stack: AsyncDisposableStack;
  let networks: Networks;
  const networkId = newNetworkId();

  const open = async (plans: readonly EndpointPlan[] = []): Promise<Networks> => {
    const opened = openNetworks({
      execRoot: folder,
      bridgeName: 'skiff0',
      bridgeAddress: null,
      engineId: 'engine one',
      networkId,
      rows: stack.use(rowsIn(folder, 'engine one')),
      now: () => '2026-01-01T00:00:00Z',
      builtInSince: '2026-01-01T00:00:00Z',
    });
    await opened.prepare();
    await opened.restore(plans);
    return opened;
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-networks-'));
    stack = new AsyncDisposableStack();
    lab = enterFreshNetwork();
    outside = await attachOutsider({ name: 'wire0', hostAddress, address: outsideAddress });
    networks = await open();
  });

  afterEach(async () => {
    await networks.removeAll();
    await networks[Symbol.asyncDispose]();
    await stack.disposeAsync();
    const left = () => ({ links: links(), rules: rules() });
    await vi
      .waitFor(() => expect(left()).toEqual({ links: ['lo', 'wire0'], rules: '' }), { timeout: 30_000 })
      .finally(() => {
        outside[Symbol.dispose]();
        lab[Symbol.dispose]();
        rmSync(folder, { recursive: true });
      });
  });

  const make = (name: string, change: Partial<NetworkRequest> = {}): Promise<Network> =>
    networks.create(networkNamed(name, change));
  const run = async (to: readonly (Network | EndpointRequest)[], ports: readonly PortRequest[] = []) => {
    const endpoints = to.map((one) => ('networkId' in one ? one : endpointIn(one.id)));
    const plan = await networks.plan({
      containerId: newContainerId(),
      containerName: 'box',
      mode: 'network',
      endpoints,
      ports,
    });
    networks.realise(plan);
    return plan;
  };
  const inside = (plan: EndpointPlan): NetworkNamespace => stack.use(openNamespace(plan.netnsPath ?? ''));
  const serve = (namespace: NetworkNamespace, port: number): void => {
    const server = createServer(
      (socket) => void socket.resume().end((socket.remoteAddress ?? '').replace('::ffff:', '')),
    );
    namespace.enter(() => listenNow(server, port));
    stack.defer(() => closed(server));
  };
  const reach = (from: NetworkNamespace, address: string, port = 80): Promise<string> =>
    ask(connectFrom(from, { address, port }));

  it('keeps bridges apart, lets each out, and joins the containers of one', async () => {
    const [red, blue] = [await make('red'), await make('blue')];
    expect([red, blue].map(({ pools }) => pools[0]?.subnet)).toEqual(['172.18.0.0/16', '172.19.0.0/16']);
    const [one, two, other] = [await run([red]), await run([red]), await run([blue])];
    serve(inside(two), 80);
    serve(inside(other), 80);
    serve(outside, 80);
    expect(await reach(inside(one), '172.18.0.3')).toBe('172.18.0.2');
    expect(() => connectFrom(inside(one), { address: '172.19.0.2', port: 80 })).toThrow(unanswered);
    expect(await reach(inside(one), outsideAddress)).toBe(hostAddress);
    expect(() => connectFrom(outside, { address: '172.18.0.3', port: 80 })).toThrow(unanswered);
  });

  it('publishes the ports of any bridge, to containers of others too', async () => {
    const [red, blue] = [await make('red', { hasIpv6: true }), await make('blue')];
    const [web, other] = [await run([red], [port(80, 8080)]), await run([blue])];
    serve(inside(web), 80);
    expect(await reach(outside, hostAddress, 8080)).toBe(outsideAddress);
    expect(await reach(inside(other), hostAddress, 8080)).toBe('172.18.0.1');
    expect(await reach(inside(web), hostAddress, 8080)).toBe('172.18.0.1');
  });

  it('lets nothing out of an internal network, and nothing in', async () => {
    const [closedOff, open] = [await make('closed', { isInternal: true }), await make('open')];
    const [one, two] = [await run([closedOff], [port(80, 8080)]), await run([closedOff])];
    const web = await run([open], [port(80, 8081)]);
    serve(inside(two), 80);
    serve(inside(web), 80);
    expect(one).toMatchObject({ ports: [], gateways: { ipv4: null } });
    expect(await reach(inside(one), '172.18.0.3')).toBe('172.18.0.2');
    expect(() => connectFrom(inside(one), { address: outsideAddress, port: 80 })).toThrow(unreachable);
    inside(one).enter(() => routeBy('172.18.0.1'));
    expect(() => connectFrom(inside(one), { address: outsideAddress, port: 80 })).toThrow(unanswered);
    expect(() => connectFrom(inside(one), { address: '172.19.0.2', port: 80 })).toThrow(unanswered);
    expect(() => connectFrom(inside(web), { address: '172.18.0.3', port: 80 })).toThrow(unanswered);
  });

  it.each(['0', '1'])(
    'keeps containers apart without ICC, but for what they publish (br_netfilter %s)',
    async (filters) => {
      for (const name of ['iptables', 'ip6tables']) setBridgeFilter(name, filters);
      const apart = await make('apart', { options: { 'com.docker.network.bridge.enable_icc': 'false' } });
      const [one, two] = [await run([apart]), await run([apart], [port(80, 8080)])];
      serve(inside(two), 80);
      serve(outside, 80);
      expect(() => connectFrom(inside(one), { address: '172.18.0.3', port: 80 })).toThrow();
      expect(await reach(inside(one), outsideAddress)).toBe(hostAddress);
      expect(await reach(inside(one), hostAddress, 8080)).toBe('172.18.0.1');
    },
  );

  it('gives IPv6 addresses, routes and a way out', async () => {
    const dual = await make('dual', {
      hasIpv6: true,
      pools: [{ subnet: 'fd00:9::/64', ipRange: '', gateway: '', auxiliary: {} }],
    });
    const [one, two] = [await run([dual]), await run([endpointIn(dual.id, { ipv6Address: 'fd00:9::77' })])];
    serve(inside(two), 80);
    expect(two.endpoints[0]?.ipv6).toEqual({ address: 'fd00:9::77', prefixLength: 64, gateway: 'fd00:9::1' });
    const answer = await vi.waitFor(() => reach(inside(one), 'fd00:9::77'), { timeout: 30_000 });
    expect(answer).toBe('fd00:9::2');
    expect(inside(one).enter(() => defaultRoutes())).toEqual(['172.18.0.1', 'fd00:9::1']);
    await networks.release(one);
    expect((await run([dual])).endpoints[0]?.ipv6?.address).toBe('fd00:9::2');
  });

  it('keeps the host listening to its own routers while it forwards IPv6, and closed links closed', async () => {
    const file = '/proc/sys/net/ipv6/conf/wire0/accept_ra';
    expect(readFileSync(file, 'utf8')).toBe('1\n');
    await make('six', { hasIpv6: true });
    expect(readFileSync(file, 'utf8')).toBe('2\n');
    expect(rules()).toMatch(/set closed-links-6 \{\s+type ifname\s+elements = \{ [^}]*"wire0"/);
    await networks.removeAll();
    expect(readFileSync(file, 'utf8')).toBe('1\n');
    expect(readFileSync('/proc/sys/net/ipv6/conf/all/forwarding', 'utf8')).toBe('0\n');
  });

  it('has networks of IPv6 alone', async () => {
    const six = await make('six', { hasIpv4: false, hasIpv6: true });
    const [one, two] = [await run([six]), await run([six])];
    serve(inside(two), 80);
    expect(one.endpoints[0]?.ipv4).toBeNull();
    const address = two.endpoints[0]?.ipv6?.address ?? '';
    // The kernel listens to questions for a new address a moment after it has it.
    const answer = await vi.waitFor(() => reach(inside(one), address), { timeout: 30_000 });
    expect(answer).toBe(one.endpoints[0]?.ipv6?.address);
  });

  it('gives the default route to the highest priority, and moves it and the ports as networks come and go', async () => {
    const [red, blue] = [await make('red'), await make('blue')];
    const plan = await run([red], [port(80, 8080)]);
    serve(inside(plan), 80);
    const wider = await networks.planConnect(plan, endpointIn(blue.id, { gatewayPriority: 1 }));
    networks.realiseConnect(wider);
    expect(inside(plan).enter(() => links())).toEqual(['lo', 'eth0', 'eth1']);
    expect(inside(plan).enter(() => defaultRoutes())).toEqual(['172.19.0.1']);
    expect(rules()).toContain('172.19.0.2 . 80');
    expect(await reach(outside, hostAddress, 8080)).toBe(outsideAddress);
    const [first, second] = wider.endpoints;
    if (first === undefined || second === undefined) throw new Error('two endpoints were planned');
    const back = await networks.disconnect(wider, second);
    expect(inside(plan).enter(() => defaultRoutes())).toEqual(['172.18.0.1']);
    expect(await reach(outside, hostAddress, 8080)).toBe(outsideAddress);
    const none = await networks.disconnect(back, first);
    expect(none).toMatchObject({ endpoints: [], ports: [] });
    expect(inside(plan).enter(() => links())).toEqual(['lo']);
    const again = await networks.planConnect(none, endpointIn(blue.id));
    networks.realiseConnect(again);
    expect(again.endpoints[0]?.interfaceName).toBe('eth0');
    expect(await reach(outside, hostAddress, 8080)).toBe(outsideAddress);
  });

  it('removes what a connect that was never stored has left, and takes a container of two networks over', async () => {
    const [red, blue] = [await make('red'), await make('blue')];
    const [kept, torn] = [await run([red, blue], [port(80, 8080)]), await run([red])];
    serve(inside(kept), 80);
    networks.realiseConnect(await networks.planConnect(torn, endpointIn(blue.id)));
    await networks[Symbol.asyncDispose]();
    const stored = JSON.parse(JSON.stringify([kept, torn])) as EndpointPlan[];
    networks = await open(stored);
    await vi.waitFor(() => expect(inside(torn).enter(() => links())).toEqual(['lo', 'eth0']), { timeout: 30_000 });
    expect(inside(kept).enter(() => links())).toEqual(['lo', 'eth0', 'eth1']);
    expect(await reach(outside, hostAddress, 8080)).toBe(outsideAddress);
    expect(networks.all().map(({ name }) => name)).toEqual(['bridge', 'host', 'none', 'red', 'blue']);
    await expect(networks.remove(red)).rejects.toThrow('has active endpoints');
    expect((await run([red])).endpoints[0]?.ipv4?.address).toBe('172.18.0.4');
  });

  it('finishes what was being made or removed when the engine died', async () => {
    const [red, blue, green] = [await make('red'), await make('blue'), await make('green')];
    await networks[Symbol.asyncDispose]();
    using rows = rowsIn(folder, 'engine one');
    rows.settle(red, 'making');
    rows.settle(blue, 'removing');
    networks = await open();
    expect(networks.all().map(({ name }) => name)).toEqual(['bridge', 'host', 'none', 'green']);
    expect(links()).toEqual(['lo', 'wire0', 'skiff0', green.hostInterface]);
    expect(rules()).not.toContain(red.hostInterface);
  });

  it('takes a network out of kernel and firewall, and gives its subnet to the next', async () => {
    const red = await make('red');
    await networks.remove(red);
    expect(links()).not.toContain(red.hostInterface);
    expect(rules()).not.toContain(red.hostInterface);
    expect((await make('blue')).pools[0]?.subnet).toBe('172.18.0.0/16');
    await expect(networks.remove(red)).rejects.toThrow('network red not found');
  });

  it('goes on while a network is removed, which nobody can join meanwhile, and frees its name at the end', async () => {
    const red = await make('red');
    const removal = networks.remove(red);
    await expect(run([red])).rejects.toThrow('network red not found');
    await expect(networks.remove(red)).rejects.toThrow('already in progress');
    await expect(make('red')).rejects.toThrow('network with name red already exists');
    await removal;
    expect((await make('red')).id).not.toBe(red.id);
  });

  it('leaves nothing of a network that could not be made', async () => {
    const before = { links: links(), rules: rules() };
    await expect(make('bad', { options: { 'com.docker.network.bridge.name': 'wire0' } })).rejects.toThrow(
      'is no bridge',
    );
    expect({ links: links(), rules: rules() }).toEqual(before);
    expect((await make('bad')).name).toBe('bad');
  });

  it('uses a bridge that is there, and leaves it', async () => {
    const named = { options: { 'com.docker.network.bridge.name': 'mine0' } };
    const own = await make('own', named);
    await expect(make('other', named)).rejects.toThrow('networks have same bridge name');
    await networks.remove({ ...own, isInterfaceOurs: false });
    const borrowed = await make('borrowed', named);
    expect(borrowed.isInterfaceOurs).toBe(false);
    expect(addresses('mine0')).toEqual([`${borrowed.pools[0]?.gateway ?? ''}/16`]);
    await networks.remove(borrowed);
    expect(links()).toContain('mine0');
    await networks.remove({ ...(await make('last', named)), isInterfaceOurs: true });
  });

  it('sets what an endpoint asks for: name, MAC, sysctls, MTU', async () => {
    const small = await make('small', { options: { 'com.docker.network.driver.mtu': '1400' } });
    const plan = await run([
      endpointIn(small.id, {
        macAddress: '02:11:22:33:44:55',
        driverOptions: {
          'com.docker.network.endpoint.ifname': 'inner',
          'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1',
        },
      }),
    ]);
    expect(inside(plan).enter(() => links())).toEqual(['lo', 'inner']);
    expect(plan.endpoints[0]?.macAddress).toBe('02:11:22:33:44:55');
    const wrong = endpointIn(small.id, {
      driverOptions: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.nope=1' },
    });
    const planned = await networks.plan({
      containerId: newContainerId(),
      containerName: 'box',
      mode: 'network',
      endpoints: [wrong],
      ports: [],
    });
    expect(() => networks.realise(planned)).toThrow('/proc/sys/net/ipv4/conf/eth0/nope is not a sysctl file');
    await networks.release(planned);
  });
});

function port(inContainer: number, onHost: number): PortRequest {
  return { port: inContainer, protocol: 'tcp', hostAddress: null, hostPorts: { first: onHost, last: onHost } };
}

async function ask(socket: Socket): Promise<string> {
  socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')));
  socket.end();
  try {
    return await text(socket);
  } finally {
    socket.destroy();
  }
}

async function closed(server: Server): Promise<void> {
  if (server.listening) await new Promise((resolve) => server.close(resolve));
}

/** Without an address, Node binds before it returns: the thread is still inside the namespace then. */
function listenNow(server: Server, at: number): void {
  server.listen(at);
}

function links(): string[] {
  using netlink = openNetlink();
  return netlink.read(listLinks).map((body) => parseLink(body).name);
}

function addresses(name: string): string[] {
  using netlink = openNetlink();
  const index = netlink
    .read(listLinks)
    .map(parseLink)
    .find((link) => link.name === name)?.index;
  const own = netlink
    .read(listAddresses)
    .map(parseAddress)
    .filter(({ linkIndex }) => linkIndex === index);
  return own.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
}

function defaultRoutes(): string[] {
  using netlink = openNetlink();
  const routes = netlink.read(listRoutes).map(parseRoute);
  return routes.flatMap(({ prefixLength, gateway }) => (prefixLength === 0 && gateway !== null ? [gateway] : []));
}

/** As a program with NET_ADMIN could. */
function routeBy(gateway: string): void {
  using netlink = openNetlink();
  netlink.change([addDefaultRoute({ gateway })]);
}

/** A kernel without br_netfilter has no such file, and behaves as with 0. */
function setBridgeFilter(name: string, value: string): void {
  const file = `/proc/sys/net/bridge/bridge-nf-call-${name}`;
  if (existsSync(file)) writeFileSync(file, value);
}

function rules(): string {
  using nft = openNft();
  return nft.list('list ruleset');
}
