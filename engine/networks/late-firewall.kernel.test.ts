import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { openNft } from '../kernel/nft.ts';
import { endpointIn, rowsIn } from '../lab/joined-networks.ts';
import { enterFreshNetwork } from '../lab/network-lab.ts';
import { newContainerId, newNetworkId } from '../model/ids.ts';
import type { EndpointPlan, Networks } from './networks.ts';
import { openNetworks } from './open-networks.ts';
import { tableName } from './ruleset.ts';

const engineId = 'engine late';

describeWith(['linux', 'root'], 'a firewall that may come late', () => {
  let folder = '';
  let lab: Disposable;
  let stack: AsyncDisposableStack;
  let networks: Networks;
  const networkId = newNetworkId();

  const opened = (): Networks =>
    openNetworks({
      execRoot: folder,
      bridgeName: 'skiff0',
      bridgeAddress: null,
      engineId,
      networkId,
      rows: stack.use(rowsIn(folder, engineId)),
      now: () => '2026-01-01T00:00:00Z',
      builtInSince: '2026-01-01T00:00:00Z',
      isFirewallLate: true,
    });
  const plan = (): Promise<EndpointPlan> =>
    networks.plan({
      containerId: newContainerId(),
      containerName: 'box',
      mode: 'network',
      endpoints: [endpointIn(networkId)],
      ports: [],
    });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-late-firewall-'));
    stack = new AsyncDisposableStack();
    lab = enterFreshNetwork();
    networks = opened();
    await networks.prepare();
  });

  afterEach(async () => {
    await networks.removeAll();
    await networks[Symbol.asyncDispose]();
    await stack.disposeAsync();
    expect(tables()).toEqual([]);
    lab[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  it('is written when it is settled, where no container has a network', async () => {
    await networks.restore([]);
    expect(tables()).toEqual([]);
    networks.settle();
    expect(tables()).toEqual([`table inet ${tableName(engineId)}`]);
  });

  it('is there before the first container is, should that come sooner', async () => {
    await networks.restore([]);
    const first = await plan();
    expect(tables()).toEqual([]);
    networks.realise(first);
    expect(tables()).toEqual([`table inet ${tableName(engineId)}`]);
    await networks.release(first);
  });

  it('waits though a container that the computer took along is released', async () => {
    const gone = await plan();
    const report = await networks.restore([gone]);
    expect(report.lost).toEqual([gone.containerId]);
    await networks.release(gone);
    expect(tables()).toEqual([]);
  });

  it('does not wait where a container still runs', async () => {
    await networks.restore([]);
    const running = await plan();
    networks.realise(running);
    await networks[Symbol.asyncDispose]();
    using nft = openNft();
    nft.run('flush ruleset');
    networks = opened();
    await networks.prepare();
    await networks.restore([running]);
    expect(tables()).toEqual([`table inet ${tableName(engineId)}`]);
    await networks.release(running);
  });
});

function tables(): string[] {
  using nft = openNft();
  return nft
    .list('list tables')
    .split('\n')
    .filter((line) => line !== '');
}
