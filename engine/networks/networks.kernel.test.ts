import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { readMounts } from '../kernel/mount-table.ts';
import { openNetlink } from '../kernel/netlink.ts';
import { type NetworkNamespace, openNamespace } from '../kernel/netns.ts';
import { openNft } from '../kernel/nft.ts';
import { addAddress, deleteAddress } from '../kernel/rtnetlink-addresses.ts';
import { createBridge, deleteLink, listLinks, parseLink, setLinkUp } from '../kernel/rtnetlink.ts';
import { attachOutsider, connectFrom, enterFreshNetwork, linkIndex, udpSocketIn } from '../lab/network-lab.ts';
import { endpointIn, rowsIn } from '../lab/joined-networks.ts';
import { newContainerId, newNetworkId } from '../model/ids.ts';
import type {
  EndpointPlan,
  EndpointRequest,
  NetworkChoice,
  Networks,
  NetworksOptions,
  PortRequest,
} from './networks.ts';
import { openNetworks } from './open-networks.ts';

const hostAddress = '198.51.100.1';

describeWith(['linux', 'root'], 'networks', () => {
  let folder = '';
  let lab: Disposable;
  let outside: NetworkNamespace;
  let stack: AsyncDisposableStack;
  let networks: Networks;
  const networkId = newNetworkId();

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-networks-'));
    stack = new AsyncDisposableStack();
    lab = enterFreshNetwork();
    outside = await attachOutsider({ name: 'wire0', hostAddress, address: '198.51.100.2' });
    networks = await started({});
  });

  afterEach(async () => {
    await networks.removeAll();
    await networks[Symbol.asyncDispose]();
    await stack.disposeAsync();
    const expected = { links: ['lo', 'wire0'], rules: '', mounts: [] };
    const left = () => ({ links: links(), rules: rules(), mounts: mountsBelow(folder) });
    await vi
      .waitFor(() => expect(left()).toEqual(expected), { timeout: 30_000 })
      .finally(() => {
        outside[Symbol.dispose]();
        lab[Symbol.dispose]();
        rmSync(folder, { recursive: true });
      });
  });

  const options = (change: Partial<NetworksOptions>): NetworksOptions => ({
    execRoot: folder,
    bridgeName: 'skiff0',
    bridgeAddress: null,
    engineId: 'engine one',
    networkId,
    rows: stack.use(rowsIn(folder, change.engineId ?? 'engine one')),
    now: () => '2026-01-01T00:00:00Z',
    builtInSince: '2026-01-01T00:00:00Z',
    ...change,
  });
  const started = async (change: Partial<NetworksOptions>, plans: readonly EndpointPlan[] = []): Promise<Networks> => {
    const opened = openNetworks(options(change));
    await opened.prepare();
    await opened.restore(plans);
    return opened;
  };
  const run = async (
    ports: readonly PortRequest[] = [],
    { mode = 'network', on = networks, to }: { mode?: NetworkChoice; on?: Networks; to?: EndpointRequest[] } = {},
  ): Promise<EndpointPlan> => {
    const endpoints = to ?? [endpointIn(on.bridge.networkId)];
    const plan = await on.plan({ containerId: newContainerId(), containerName: 'box', mode, endpoints, ports });
    on.realise(plan);
    return plan;
  };
  const inside = (plan: EndpointPlan): NetworkNamespace => stack.use(openNamespace(plan.netnsPath ?? ''));
  /** Answers what it was sent and who sent it, when the sender has ended. */
  const serve = (plan: EndpointPlan, port: number): void => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      void text(socket).then((request) =>
        socket.end(`${request} from ${socket.remoteAddress?.replace('::ffff:', '')}`),
      );
    });
    inside(plan).enter(() => listenNow(server, port));
    stack.defer(() => closed(server));
  };
  const addressOf = (plan: EndpointPlan): string => plan.endpoints[0]?.ipv4?.address ?? '';

  it('gives containers increasing addresses in the first free pool, and lets them reach each other and the host', async () => {
    const [one, other] = [await run(), await run()];
    expect(networks.bridge).toMatchObject({ subnet: '172.17.0.0/16', gateway: '172.17.0.1' });
    expect([addressOf(one), addressOf(other)]).toEqual(['172.17.0.2', '172.17.0.3']);
    serve(other, 80);
    expect(await ask(connectFrom(inside(one), { address: '172.17.0.3', port: 80 }))).toBe('hello from 172.17.0.2');
    const onHost = createServer(
      { allowHalfOpen: true },
      (socket) => void socket.resume().end(socket.remoteAddress ?? ''),
    ).listen(7000, '0.0.0.0');
    await once(onHost, 'listening');
    expect(await ask(connectFrom(inside(one), { address: '172.17.0.1', port: 7000 }))).toBe('172.17.0.2');
    await closed(onHost);
    await networks.release(one);
    expect(addressOf(await run())).toBe('172.17.0.2');
  });

  it('lets containers out under the address of the host', async () => {
    const server = createServer(
      { allowHalfOpen: true },
      (socket) => void socket.resume().end(socket.remoteAddress ?? ''),
    );
    outside.enter(() => listenNow(server, 9000));
    stack.defer(() => closed(server));
    const reply = await ask(connectFrom(inside(await run()), { address: '198.51.100.2', port: 9000 }));
    expect(reply).toBe(`::ffff:${hostAddress}`);
  });

  it('publishes a port to the outside, to every address of the host, to IPv6, to other containers and to itself', async () => {
    const web = await run([port(80, 8080)]);
    const other = await run();
    serve(web, 80);
    expect(web.ports).toEqual([
      { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
      { port: 80, protocol: 'tcp', hostAddress: '::', hostPort: 8080 },
    ]);
    const at = { address: hostAddress, port: 8080 };
    expect(await ask(connectFrom(outside, at))).toBe('hello from 198.51.100.2');
    expect(await ask(connect({ host: hostAddress, port: 8080 }))).toBe(`hello from ${hostAddress}`);
    expect(await ask(connect({ host: '127.0.0.1', port: 8080 }))).toBe('hello from 172.17.0.1');
    expect(await ask(connect({ host: '::1', port: 8080 }))).toBe('hello from 172.17.0.1');
    expect(await ask(connectFrom(inside(other), at))).toBe('hello from 172.17.0.1');
    expect(await ask(connectFrom(inside(web), at))).toBe('hello from 172.17.0.1');
    await networks.release(web);
    expect(() => connectFrom(outside, at)).toThrow(expect.objectContaining({ code: 'ECONNREFUSED' }));
  });

  it('keeps what is not published, or published on 127.0.0.1, from the outside', async () => {
    const web = await run([port(80, 8080, '127.0.0.1')]);
    serve(web, 80);
    serve(web, 81);
    // Even on a host that takes loopback addresses from the wire, as kube-proxy wants it.
    writeFileSync('/proc/sys/net/ipv4/conf/wire0/route_localnet', '1');
    outside.enter(sendLoopbackOut);
    expect(await ask(connect({ host: '127.0.0.1', port: 8080 }))).toBe('hello from 172.17.0.1');
    const unanswered = expect.objectContaining({ code: 'EINPROGRESS' });
    expect(() => connectFrom(outside, { address: addressOf(web), port: 80 })).toThrow(unanswered);
    expect(() => connectFrom(outside, { address: addressOf(web), port: 81 })).toThrow(unanswered);
    expect(() => connectFrom(outside, { address: '127.0.0.1', port: 8080 })).toThrow(unanswered);
    expect(() => connectFrom(outside, { address: hostAddress, port: 8080 })).toThrow(
      expect.objectContaining({ code: 'ECONNREFUSED' }),
    );
  });

  it('keeps containers from the loopback services of the host', async () => {
    const server = createServer((socket) => void socket.resume().end('secret')).listen(7001, '127.0.0.1');
    stack.defer(() => closed(server));
    const one = inside(await run());
    one.enter(sendLoopbackOut);
    expect(() => connectFrom(one, { address: '127.0.0.1', port: 7001 })).toThrow(
      expect.objectContaining({ code: 'EINPROGRESS' }),
    );
  });

  it('publishes udp', async () => {
    const plan = await run([{ ...port(53, 5353), protocol: 'udp' }]);
    const server = createSocket('udp4').bind({ fd: udpSocketIn(inside(plan), 53) });
    const client = createSocket('udp4').bind({ fd: udpSocketIn(outside, 0) });
    stack.defer(() => void [server, client].forEach((socket) => socket.close()));
    server.on('message', (message, from) => server.send(`${message.toString()}!`, from.port, from.address));
    client.send('ping', 5353, hostAddress);
    const [answer] = (await once(client, 'message', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
    expect(answer.toString()).toBe('ping!');
  });

  it("says in docker's words which port is taken, and by whom, and keeps nothing then", async () => {
    const web = await run([port(80, 8080)]);
    await expect(run([port(81, 9090), port(80, 8080)])).rejects.toThrow(
      'Bind for 0.0.0.0:8080 failed: port is already allocated',
    );
    await expect(run([port(80, 8080, '127.0.0.1')])).rejects.toThrow(
      'Bind for 0.0.0.0:8080 failed: port is already allocated',
    );
    const stranger = createServer().listen(7070, '::');
    await once(stranger, 'listening');
    await expect(run([port(80, 7070)])).rejects.toThrow(
      'failed to bind host port for 0.0.0.0:7070:172.17.0.3:80/tcp: address already in use',
    );
    await closed(stranger);
    await expect(run([port(80, 7070, '203.0.113.9')])).rejects.toThrow('cannot assign requested address');
    await expect(run([{ ...port(80, 7070), protocol: 'sctp' }])).rejects.toThrow('sctp');
    expect((await run([port(80, 9090), port(80, 7070)])).ports.map((one) => one.hostPort)).toEqual([
      9090, 9090, 7070, 7070,
    ]);
    await networks.release(web);
    expect((await run([port(80, 8080)])).ports).toHaveLength(2);
  });

  it('takes the first free port of a range, and any free one when none is named', async () => {
    const ranged = { ...port(80, 0), hostPorts: { first: 8000, last: 8001 } };
    expect((await run([ranged])).ports[0]?.hostPort).toBe(8000);
    expect((await run([ranged])).ports[0]?.hostPort).toBe(8001);
    await expect(run([ranged])).rejects.toThrow('Bind for 0.0.0.0:8001 failed: port is already allocated');
    const [v4, v6] = (await run([{ ...port(80, 0), hostPorts: null }])).ports;
    expect(v4?.hostPort).toBeGreaterThan(1023);
    expect(v6?.hostPort).toBe(v4?.hostPort);
  });

  it('offers none, host, and the namespace of another container', async () => {
    const none = await run([], { mode: 'none' });
    expect(inside(none).enter(links)).toEqual(['lo']);
    expect(await run([port(80, 8080)], { mode: 'host' })).toMatchObject({ netnsPath: null, endpoints: [], ports: [] });
    const one = await run();
    const joined = await run([], { mode: { container: one.containerId } });
    expect(joined.netnsPath).toBe(one.netnsPath);
    await networks.release(joined);
    expect(inside(one).enter(links)).toEqual(['lo', 'eth0']);
    await expect(run([], { mode: { container: newContainerId() } })).rejects.toThrow(
      'cannot join network namespace of a non running container',
    );
  });

  it('releases twice, releases what was never realised, and leaves nothing of either', async () => {
    const before = links();
    const plan = await run([port(80, 8080)]);
    await networks.release(plan);
    const next = await run([port(80, 8080)]);
    await networks.release(plan);
    expect(existsSync(plan.netnsPath ?? '')).toBe(false);
    await networks.release(next);
    const planned = await networks.plan({
      containerId: newContainerId(),
      containerName: 'box',
      mode: 'network',
      endpoints: [endpointIn(networkId)],
      ports: [port(80, 8080)],
    });
    await networks.release(planned);
    await vi.waitFor(() => expect(links()).toEqual(before), { timeout: 30_000 });
    expect(mountsBelow(folder)).toEqual([]);
    expect(rules()).not.toContain('8080');
  });

  it('takes over what containers hold when the engine comes back, and removes what no plan names', async () => {
    const kept = await run([port(80, 8080), port(81, 8081)]);
    const forgotten = await run([port(80, 9090)]);
    const unborn = await networks.plan({
      containerId: newContainerId(),
      containerName: 'box',
      mode: 'network',
      endpoints: [endpointIn(networkId)],
      ports: [],
    });
    serve(kept, 80);
    await networks[Symbol.asyncDispose]();
    expect(await ask(connectFrom(outside, { address: hostAddress, port: 8080 }))).toBe('hello from 198.51.100.2');
    using nft = openNft();
    nft.run('flush ruleset');
    const stranger = createServer().listen({ host: '0.0.0.0', port: 8081 });
    await once(stranger, 'listening');

    const stored = JSON.parse(JSON.stringify([kept, unborn])) as EndpointPlan[];
    networks = openNetworks(options({}));
    expect(await networks.prepare()).toMatchObject({ address: '172.17.0.1/16' });
    const report = await networks.restore(stored);
    expect(report.lost).toEqual([unborn.containerId]);
    expect(report.unboundPorts).toMatchObject([
      { containerId: kept.containerId, port: { hostAddress: '0.0.0.0', hostPort: 8081 } },
    ]);
    expect(report.removed).toContain(forgotten.netnsPath);
    await closed(stranger);

    expect(await ask(connectFrom(outside, { address: hostAddress, port: 8080 }))).toBe('hello from 198.51.100.2');
    expect(await ask(connect({ host: '::1', port: 8080 }))).toBe('hello from 172.17.0.1');
    await expect(run([port(80, 8080)])).rejects.toThrow('port is already allocated');
    await networks.release(unborn);
    expect(addressOf(await run([port(80, 9090)]))).toBe('172.17.0.3');
  });

  it('writes its rules anew as soon as somebody flushed them, and leaves those of others flushed', async () => {
    const first = await run([port(80, 8080)]);
    serve(first, 80);
    using nft = openNft();
    nft.run('table ip strangers {\n}');
    const before = rules();
    nft.run('flush ruleset');
    await vi.waitFor(() => expect(rules()).toBe(before.replace('table ip strangers {\n}\n', '')), { timeout: 30_000 });
    expect(await ask(connectFrom(outside, { address: hostAddress, port: 8080 }))).toBe('hello from 198.51.100.2');
  });

  it('lives beside another engine and tables of others without touching them', async () => {
    using nft = openNft();
    nft.run('table ip strangers {\n chain mine {\n type filter hook forward priority 10; policy accept;\n }\n}');
    const foreign = nft.list('list table ip strangers');
    const second = await started({ bridgeName: 'skiff1', engineId: 'engine two', execRoot: join(folder, 'two') });
    expect(second.bridge.subnet).toBe('172.18.0.0/16');
    const [here, there] = [await run([port(80, 8080)]), await run([port(80, 8081)], { on: second })];
    serve(here, 80);
    serve(there, 80);
    expect(await ask(connectFrom(outside, { address: hostAddress, port: 8080 }))).toBe('hello from 198.51.100.2');
    expect(await ask(connectFrom(outside, { address: hostAddress, port: 8081 }))).toBe('hello from 198.51.100.2');
    expect(() => connectFrom(inside(here), { address: addressOf(there), port: 80 })).toThrow(
      expect.objectContaining({ code: 'EINPROGRESS' }),
    );
    await second.removeAll();
    await second[Symbol.asyncDispose]();
    expect(links()).not.toContain('skiff1');
    expect(await ask(connectFrom(outside, { address: hostAddress, port: 8080 }))).toBe('hello from 198.51.100.2');
    expect(nft.list('list table ip strangers')).toBe(foreign);
    nft.run('delete table ip strangers');
  });

  it('refuses an address that the host uses, and a bridge that is none', async () => {
    await using taken = openNetworks(options({ bridgeName: 'skiff2', bridgeAddress: '198.51.100.65/26' }));
    await expect(taken.prepare()).rejects.toThrow(
      'Pool overlaps with other one on this address space: 198.51.100.64/26',
    );
    await using wrong = openNetworks(options({ bridgeName: 'wire0' }));
    await expect(wrong.prepare()).rejects.toThrow('wire0 exists and is no bridge');
    expect(() => openNetworks(options({ bridgeAddress: '10.0.0.1' }))).toThrow('invalid bridge address 10.0.0.1');
    await taken.removeAll();
  });

  it('leaves the pools of others alone and starts with an address that is given', async () => {
    using netlink = openNetlink();
    netlink.change([createBridge({ name: 'other0', macAddress: '02:00:00:00:00:07' })]);
    const index = linkIndex(netlink, 'other0');
    netlink.change([addAddress({ index, address: '172.18.9.1', prefixLength: 24 }), setLinkUp({ index })]);
    const second = await started({ bridgeName: 'skiff3', engineId: 'three', execRoot: join(folder, 'three') });
    expect(second.bridge.subnet).toBe('172.19.0.0/16');
    await second.removeAll();
    await second[Symbol.asyncDispose]();
    const given = {
      bridgeName: 'skiff3',
      engineId: 'three',
      execRoot: join(folder, 'three'),
      bridgeAddress: '10.77.0.1/29',
    };
    const third = await started(given);
    expect(third.bridge.subnet).toBe('10.77.0.0/29');
    for (let at = 0; at < 5; at++) await run([], { on: third });
    await expect(run([], { on: third })).rejects.toThrow('no available IPv4 addresses');
    await third.removeAll();
    await third[Symbol.asyncDispose]();
    netlink.change([deleteLink({ index })]);
  });

  it('keeps interfaces apart that were apart before it switched forwarding on, and switches it back at the end', async () => {
    expect(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8')).toBe('1\n');
    const far = stack.use(await attachOutsider({ name: 'wire1', hostAddress: '203.0.113.1', address: '203.0.113.2' }));
    const server = createServer((socket) => void socket.resume().end('reached'));
    far.enter(() => listenNow(server, 9000));
    stack.defer(() => closed(server));
    const to = { address: '203.0.113.2', port: 9000 };
    expect(await ask(connectFrom(outside, to))).toBe('reached');
    await networks.removeAll();
    expect(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8')).toBe('1\n');
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');
    await networks[Symbol.asyncDispose]();
    networks = await started({});
    expect(() => connectFrom(outside, to)).toThrow(expect.objectContaining({ code: 'EINPROGRESS' }));
    await networks.removeAll();
    expect(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8')).toBe('0\n');
    far[Symbol.dispose]();
    await closed(server);
    await vi.waitFor(() => expect(links()).toEqual(['lo', 'wire0']), { timeout: 30_000 });
  });
});

function port(inContainer: number, onHost: number, hostAddress: string | null = null): PortRequest {
  return { port: inContainer, protocol: 'tcp', hostAddress, hostPorts: { first: onHost, last: onHost } };
}

/** Says hello, ends its half, and returns what comes back until the other half ends. */
async function ask(socket: Socket): Promise<string> {
  socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')));
  socket.allowHalfOpen = true;
  socket.end('hello');
  try {
    return await text(socket);
  } finally {
    socket.destroy();
  }
}

async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise((resolve) => server.close(resolve));
}

/** Without an address, Node binds before it returns: the thread is still inside the namespace then. */
function listenNow(server: Server, at: number): void {
  server.listen(at);
}

function links(): string[] {
  using netlink = openNetlink();
  return netlink.read(listLinks).map((body) => parseLink(body).name);
}

function rules(): string {
  using nft = openNft();
  return nft.list('list ruleset');
}

function mountsBelow(folder: string): string[] {
  return readMounts()
    .map((entry) => entry.target)
    .filter((target) => target.startsWith(`${folder}/`));
}

/** Makes packets to 127.0.0.1 leave by the default route, as a hostile neighbour does. */
function sendLoopbackOut(): void {
  using netlink = openNetlink();
  netlink.change([deleteAddress({ index: linkIndex(netlink, 'lo'), address: '127.0.0.1', prefixLength: 8 })]);
  writeFileSync('/proc/sys/net/ipv4/conf/all/route_localnet', '1');
}
