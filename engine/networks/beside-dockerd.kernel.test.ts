import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { type NetworkNamespace, openNamespace } from '../kernel/netns.ts';
import { openNft } from '../kernel/nft.ts';
import { endpointIn, networkNamed, rowsIn } from '../lab/joined-networks.ts';
import { attachOutsider, connectFrom, enterFreshNetwork } from '../lab/network-lab.ts';
import { newContainerId, newNetworkId } from '../model/ids.ts';
import type { Networks } from './networks.ts';
import { openNetworks } from './open-networks.ts';
import { tableName } from './ruleset.ts';

const hostAddress = '198.51.100.1';
const outsideAddress = '198.51.100.2';
const unanswered = expect.objectContaining({ code: 'EINPROGRESS' });
const ours = tableName('engine one');
const patience = { timeout: 30_000 };

/** As dockerd 28 writes it on a host that did not forward, with a rule of its user's; `last`: how older ones end the chain for users. */
const filter = (last: string): string => `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-USER -i bad0 -m comment --comment "of the user" -j DROP
${last}COMMIT
`;

describeWith(['linux', 'root', { program: 'iptables-nft' }], 'beside a dockerd that drops what is forwarded', () => {
  let folder = '';
  let lab: Disposable;
  let outside: NetworkNamespace;
  let stack: AsyncDisposableStack;
  let networks: Networks;
  const networkId = newNetworkId();

  const open = (): Networks =>
    openNetworks({
      execRoot: folder,
      bridgeName: 'skiff0',
      bridgeAddress: null,
      engineId: 'engine one',
      networkId,
      rows: stack.use(rowsIn(folder, 'engine one')),
      now: () => '2026-01-01T00:00:00Z',
      builtInSince: '2026-01-01T00:00:00Z',
    });
  const start = async (): Promise<void> => {
    networks = open();
    await networks.prepare();
    await networks.restore([]);
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-networks-'));
    stack = new AsyncDisposableStack();
    lab = enterFreshNetwork();
    outside = await attachOutsider({ name: 'wire0', hostAddress, address: outsideAddress });
  });

  afterEach(async () => {
    await networks.removeAll();
    await networks[Symbol.asyncDispose]();
    await stack.disposeAsync();
    outside[Symbol.dispose]();
    lab[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  const startDockerd = (last = ''): void => {
    for (const tool of ['iptables-nft-restore', 'ip6tables-nft-restore'])
      execFileSync(tool, { input: filter(last), stdio: ['pipe', 'ignore', 'inherit'] });
  };
  const rulesOf = (tool: 'iptables-nft' | 'ip6tables-nft'): readonly string[] =>
    execFileSync(tool, ['-S'], { encoding: 'utf8' }).split('\n');
  const written = (...bridges: readonly string[]): readonly string[] => [
    `-A ${ours} -i docker0 -j RETURN`,
    `-A ${ours} -o docker0 -j RETURN`,
    ...bridges.flatMap((bridge) => [`-A ${ours} -i ${bridge} -j ACCEPT`, `-A ${ours} -o ${bridge} -j ACCEPT`]),
  ];
  const inOurChain = (): readonly string[] => rulesOf('iptables-nft').filter((line) => line.startsWith(`-A ${ours}`));
  const forUsers = (tool: 'iptables-nft' | 'ip6tables-nft' = 'iptables-nft'): readonly string[] =>
    rulesOf(tool).filter((line) => line.startsWith('-A DOCKER-USER'));
  const ofUser = '-A DOCKER-USER -i bad0 -m comment --comment "of the user" -j DROP';

  it('lets its own bridges through, whoever of the two came first, behind the rules of its user', async () => {
    await start();
    startDockerd();
    await vi.waitFor(() => expect(forUsers('ip6tables-nft')).toEqual([ofUser, `-A DOCKER-USER -j ${ours}`]), patience);
    expect(forUsers()).toEqual([ofUser, `-A DOCKER-USER -j ${ours}`]);
    expect(inOurChain()).toEqual(written('skiff0'));
    await networks[Symbol.asyncDispose]();
    using nft = openNft();
    nft.run('delete table ip filter\ndelete table ip6 filter\n');

    startDockerd('-A DOCKER-USER -j RETURN\n');
    await start();
    expect(forUsers()).toEqual([ofUser, `-A DOCKER-USER -j ${ours}`, '-A DOCKER-USER -j RETURN']);
    expect(inOurChain()).toEqual(written('skiff0'));
  });

  it('lets containers out and published ports in, and nothing else', async () => {
    startDockerd();
    await start();
    const far = createServer((socket) => socket.destroy());
    outside.enter(() => far.listen(9000));
    stack.defer(() => new Promise((resolve) => far.close(() => resolve())));
    const plan = await networks.plan({
      containerId: newContainerId(),
      containerName: 'box',
      mode: 'network',
      endpoints: [endpointIn(networks.bridge.networkId)],
      ports: [{ port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPorts: { first: 8080, last: 8080 } }],
    });
    networks.realise(plan);
    using container = openNamespace(plan.netnsPath ?? '');
    const web = createServer((socket) => socket.destroy());
    container.enter(() => web.listen(80));
    stack.defer(() => new Promise((resolve) => web.close(() => resolve())));
    connectFrom(container, { address: outsideAddress, port: 9000 }).destroy();
    connectFrom(outside, { address: hostAddress, port: 8080 }).destroy();
    const direct = { address: plan.endpoints[0]?.ipv4?.address ?? '', port: 80 };
    expect(() => connectFrom(outside, direct)).toThrow(unanswered);
  });

  it('follows its networks and those of dockerd, and comes back when somebody flushed it', async () => {
    startDockerd();
    await start();
    const { hostInterface } = await networks.create(networkNamed('app'));
    expect(inOurChain()).toEqual(written(...[hostInterface, 'skiff0'].toSorted()));
    await networks.remove(networks.find('app'));
    expect(inOurChain()).toEqual(written('skiff0'));
    execFileSync('iptables-nft', ['-A', 'DOCKER-FORWARD', '-i', 'custom0', '-j', 'ACCEPT']);
    await vi.waitFor(() => expect(inOurChain()[0]).toBe(`-A ${ours} -i custom0 -j RETURN`), patience);
    execFileSync('iptables-nft', ['-D', 'DOCKER-FORWARD', '-i', 'custom0', '-j', 'ACCEPT']);
    await vi.waitFor(() => expect(inOurChain()).toEqual(written('skiff0')), patience);
    // What a user adds later is not fought over.
    execFileSync('iptables-nft', ['-A', 'DOCKER-USER', '-i', 'late0', '-j', 'DROP']);
    execFileSync('iptables-nft', ['-F', ours]);
    await vi.waitFor(() => expect(inOurChain()).toEqual(written('skiff0')), patience);
    expect(forUsers()).toEqual([ofUser, `-A DOCKER-USER -j ${ours}`, '-A DOCKER-USER -i late0 -j DROP']);
    execFileSync('iptables-nft', ['-F', 'DOCKER-USER']);
    await vi.waitFor(() => expect(forUsers()).toEqual([`-A DOCKER-USER -j ${ours}`]), patience);
  });

  it('stays while no engine runs, and leaves everything as it was, also after a kill', async () => {
    startDockerd();
    const before = rulesOf('iptables-nft');
    await start();
    await networks[Symbol.asyncDispose]();
    expect(inOurChain()).toEqual(written('skiff0'));
    networks = open();
    await networks.prepare();
    await networks.removeAll();
    expect(rulesOf('iptables-nft')).toEqual(before);
  });
});
