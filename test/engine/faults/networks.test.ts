/** skiffd ends with KILL while it makes or removes a network; started again, the network is there whole or not at all. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openNetlink } from '../../../engine/kernel/netlink.ts';
import { openNft } from '../../../engine/kernel/nft.ts';
import { listLinks, parseLink } from '../../../engine/kernel/rtnetlink.ts';
import { enterFreshNetwork } from '../../../engine/lab/network-lab.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { eventually } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const bridge = 'br-fault';
const body = { Name: 'victim', Options: { 'com.docker.network.bridge.name': bridge } };

describeWith(['linux', 'root', { program: 'crun' }], 'skiffd killed at a network', () => {
  const stack = new AsyncDisposableStack();
  let engine: RunningEngine;

  beforeAll(async () => {
    stack.use(enterFreshNetwork());
    engine = stack.use(await startEngine());
  });
  afterAll(() => stack.disposeAsync());

  const statusOf = async (method: string, path: string, sent?: object): Promise<number> =>
    (await call(engine.socket, method, path, sent)).status;

  it.each(['network-create:begun', 'network-create:done', 'network-remove:begun', 'network-remove:done'])(
    'at %s',
    async (point) => {
      const isRemoval = point.startsWith('network-remove');
      if (isRemoval) expect(await statusOf('POST', '/networks/create', body)).toBe(201);
      engine.dieAt(point);
      const act = isRemoval ? statusOf('DELETE', '/networks/victim') : statusOf('POST', '/networks/create', body);
      await expect(act).rejects.toThrow();
      await engine.crash();
      await engine.start();
      expect(await statusOf('GET', '/networks/victim')).toBe(404);
      await eventually('no trace', () => (traces() === '' ? true : null)).catch(() => expect(traces()).toBe(''));
      expect(await statusOf('POST', '/networks/create', body)).toBe(201);
      expect(traces()).toContain(bridge);
      expect(await statusOf('DELETE', '/networks/victim')).toBe(204);
    },
  );
});

/** What of the network is in the kernel. */
function traces(): string {
  using netlink = openNetlink();
  using nft = openNft();
  const links = netlink.read(listLinks).map((link) => parseLink(link).name);
  const rules = nft.list('list ruleset').split('\n');
  return [...links, ...rules].filter((line) => line.includes(bridge)).join('\n');
}
