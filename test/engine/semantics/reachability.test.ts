/**
 * Who reaches whom (semantics 62 to 66): an engine in a network of its own that plays a host with an interface to the outside,
 * another namespace that plays a computer there, and containers in several networks. Servers echo on TCP and UDP alike.
 */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NetworkNamespace, openNamespace } from '../../../engine/kernel/netns.ts';
import { attachOutsider, enterFreshNetwork } from '../../../engine/lab/network-lab.ts';
import { type Reach, probe, serveEcho } from '../../../engine/lab/probe.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { Boxes } from '../box.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const host4 = '198.51.100.1';
const host6 = '2001:db8::1';

interface Settings {
  readonly State: { readonly Pid: number };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string }>>;
    readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>;
  };
}

describeWith(['linux', 'root', { program: 'crun' }, { program: 'ip' }], 'semantics: who reaches whom', () => {
  const stack = new AsyncDisposableStack();
  let engine: RunningEngine;
  let boxes: Boxes;
  const from: Record<string, NetworkNamespace | null> = { host: null };
  const addresses: Record<string, string> = {};

  beforeAll(async () => {
    stack.use(enterFreshNetwork());
    from['outside'] = stack.use(await attachOutsider({ name: 'wire0', hostAddress: host4, address: '198.51.100.2' }));
    execFileSync('ip', ['addr', 'add', `${host6}/64`, 'dev', 'wire0', 'nodad']);
    from['outside'].enter(() => {
      execFileSync('ip', ['addr', 'add', '2001:db8::2/64', 'dev', 'wire', 'nodad']);
      execFileSync('ip', ['route', 'add', '172.16.0.0/12', 'via', host4]);
      execFileSync('ip', ['-6', 'route', 'add', 'default', 'via', host6]);
    });
    engine = stack.use(await startEngine());
    boxes = new Boxes(engine.socket);
    for (const network of [
      { Name: 'other' },
      { Name: 'inner', Internal: true },
      { Name: 'apart', Options: { 'com.docker.network.bridge.enable_icc': 'false' } },
      { Name: 'six', EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd00:5:5::/64' }] } },
    ])
      expect((await call(engine.socket, 'POST', '/networks/create', network)).status).toBe(201);
    const published = (port: string, host: string, HostIp = '') => ({
      [`${port}/tcp`]: [{ HostIp, HostPort: host }],
      [`${port}/udp`]: [{ HostIp, HostPort: host }],
    });
    await keep('web', 'bridge', { ...published('80', '8080'), ...published('82', '8082', '127.0.0.1') });
    await keep('neighbour', 'bridge', {});
    await keep('stranger', 'other', published('80', '8180'));
    await keep('hidden', 'inner', published('80', '8280'));
    await keep('hidden-too', 'inner', {});
    await keep('alone', 'apart', published('80', '8380'));
    await keep('alone-too', 'apart', {});
    await keep('six', 'six', published('80', '8480'));
  });
  afterAll(() => stack.disposeAsync());

  /** A container that echoes on the ports 80 (published), 81 and 82. */
  const keep = async (name: string, network: string, PortBindings: object): Promise<void> => {
    const ExposedPorts = Object.fromEntries(Object.keys(PortBindings).map((port) => [port, {}]));
    const id = await boxes.keep({ name, host: { NetworkMode: network, PortBindings }, config: { ExposedPorts } });
    const { State, NetworkSettings } = await boxes.inspect<Settings>(id);
    const inside = stack.use(openNamespace(`/proc/${State.Pid}/ns/net`));
    from[name] = inside;
    addresses[name] = NetworkSettings.Networks[network]?.IPAddress ?? '';
    addresses[`${name}6`] = NetworkSettings.Networks[network]?.GlobalIPv6Address ?? '';
    for (const port of [80, 81, 82]) {
      const address = addresses[`${name}6`] === '' ? '0.0.0.0' : undefined;
      for (const one of address === undefined ? ['0.0.0.0', '::'] : [address])
        stack.use(serveEcho(inside, { address: one, port }));
    }
  };

  /** Both protocols at once; a port that nobody has is refused by ICMP for UDP as well. */
  const reach = async (who: string, to: string, port: number, expected: Reach): Promise<void> => {
    const namespace = from[who];
    if (namespace === undefined) throw new Error(`nobody is called ${who}`);
    const address = addresses[to] ?? to;
    const reached = await Promise.all(
      (['tcp', 'udp'] as const).map((protocol) => probe(namespace, protocol, { address, port, expected })),
    );
    expect(reached).toEqual([expected, expected]);
  };

  describe('65: a port that is published on every address answers', () => {
    it.each([
      ['host', '127.0.0.1'],
      ['host', host4],
      ['host', '::1'],
      ['host', host6],
      ['outside', host4],
      ['outside', host6],
      ['web', host4],
      ['neighbour', host4],
      ['stranger', host4],
      ['alone', host4],
    ])('%s by way of %s', async (who, address) => {
      await reach(who, address, 8080, 'answers');
    });
  });

  describe('65: a port that is published on 127.0.0.1 answers the host alone', () => {
    it.each([
      ['host', '127.0.0.1', 'answers'],
      ['host', host4, 'refused'],
      ['outside', host4, 'refused'],
      ['outside', host6, 'refused'],
      ['neighbour', host4, 'refused'],
    ] as const)('%s by way of %s: %s', async (who, address, reached) => {
      await reach(who, address, 8082, reached);
    });
  });

  describe('65: a container itself is reached by its neighbours and its host, not from outside, published or not', () => {
    it.each([
      ['host', 'web', 81, 'answers'],
      ['neighbour', 'web', 81, 'answers'],
      ['web', 'neighbour', 81, 'answers'],
      ['outside', 'web', 81, 'silent'],
      ['stranger', 'web', 81, 'silent'],
      ['stranger', 'web', 80, 'silent'],
      ['neighbour', 'stranger', 81, 'silent'],
      ['outside', 'stranger', 81, 'silent'],
    ] as const)('%s to %s, port %i: %s', async (who, to, port, reached) => {
      await reach(who, to, port, reached);
    });
  });

  describe('65: other networks publish as well', () => {
    it.each([
      ['outside', host4, 8180],
      ['web', host4, 8180],
      ['stranger', host4, 8180],
      ['outside', host4, 8480],
      ['outside', host6, 8480],
      ['host', '::1', 8480],
      ['six', host6, 8480],
      ['outside', host4, 8380],
      ['alone-too', host4, 8380],
    ] as const)('%s by way of %s, port %i', async (who, address, port) => {
      await reach(who, address, port, 'answers');
    });
  });

  describe('66: an internal network has no way out and no way in', () => {
    it.each([
      ['hidden-too', 'hidden', 81, 'answers'],
      ['hidden', '198.51.100.2', 81, 'unreachable'],
      ['outside', 'hidden', 81, 'silent'],
      ['stranger', 'hidden', 81, 'silent'],
      ['outside', host4, 8280, 'refused'],
    ] as const)('%s to %s, port %i: %s', async (who, to, port, reached) => {
      await reach(who, to, port, reached);
    });
  });

  it('66: containers of a network without communication between them do not reach each other', async () => {
    await reach('alone-too', 'alone', 81, 'silent');
    await reach('host', 'alone', 81, 'answers');
  });

  it('65: a container with IPv6 is not reached from outside by its own address', async () => {
    await reach('outside', 'six6', 81, 'silent');
    await reach('host', 'six6', 81, 'answers');
  });

  it('66: rules that somebody flushed are back at once, and those of others stay gone', async () => {
    execFileSync('nft', ['add', 'table', 'ip', 'strangers']);
    execFileSync('nft', ['flush', 'ruleset']);
    await expect
      .poll(() => execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }))
      .toMatch(/^table inet skiff-\w+\n$/);
    await reach('outside', host4, 8080, 'answers');
    await reach('outside', 'web', 81, 'silent');
  });
});
