import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { enterFreshNetwork } from '../lab/network-lab.ts';
import { forgetFlows } from './conntrack.ts';
import { openNetlink } from './netlink.ts';
import { type NftChange, watchNftables } from './nft-events.ts';
import { openNft } from './nft.ts';

describeWith(['linux', 'root'], 'netfilter', () => {
  let lab: Disposable;
  beforeEach(() => (lab = enterFreshNetwork()));
  afterEach(() => lab[Symbol.dispose]());

  it('tells of tables that somebody deletes, with those of a whole ruleset, and of chains and rules', async () => {
    const told: (NftChange | null)[] = [];
    using nft = openNft();
    using _watch = watchNftables((change) => told.push(change));
    nft.run('table inet one {\n chain c {\n accept\n }\n}\ntable ip two {\n}\n');
    nft.run('delete table ip two');
    const made = [
      { of: 'chain', tableName: 'one', chainName: 'c' },
      { of: 'rule', tableName: 'one', chainName: 'c' },
      { of: 'table', tableName: 'two', chainName: '' },
    ];
    await vi.waitFor(() => expect(told).toEqual(made), { timeout: 30_000 });
    nft.run('flush ruleset');
    await vi.waitFor(() => expect(told.at(-1)).toEqual({ of: 'table', tableName: 'one', chainName: '' }), {
      timeout: 30_000,
    });
  });

  it('forgets the flows to one port of one address, and no others', async () => {
    using nft = openNft();
    using line = openNetlink('netfilter');
    nft.run(`table ip t {
	chain out {
		type nat hook output priority -100; policy accept;
		udp dport 5300 dnat to 127.0.0.9:53
	}
}
`);
    const socket = createSocket('udp4');
    const send = (port: number, address: string): Promise<void> =>
      new Promise((resolve) => socket.send('x', port, address, () => resolve()));
    socket.on('error', () => undefined);
    const begin = async (): Promise<void> => {
      for (const [port, address] of [
        [5300, '127.0.0.1'],
        [5300, '127.0.0.2'],
        [5400, '127.0.0.1'],
      ] as const)
        await send(port, address);
    };
    await begin();
    expect(flows()).toEqual(['127.0.0.1 5300', '127.0.0.1 5400', '127.0.0.2 5300']);
    forgetFlows(line, { protocol: 'udp', to: { address: '127.0.0.1', port: 5300 }, answeredBy: null });
    expect(flows()).toEqual(['127.0.0.1 5400', '127.0.0.2 5300']);
    await begin();
    forgetFlows(line, { protocol: 'udp', to: { address: '127.0.0.1', port: 5300 }, answeredBy: '127.0.0.8' });
    expect(flows()).toHaveLength(3);
    forgetFlows(line, { protocol: 'udp', to: { address: '127.0.0.1', port: 5300 }, answeredBy: '127.0.0.9' });
    expect(flows()).toEqual(['127.0.0.1 5400', '127.0.0.2 5300']);
    socket.close();
  });
});

/** Destination and port of the UDP flows of this thread's network. */
function flows(): readonly string[] {
  return readFileSync('/proc/thread-self/net/nf_conntrack', 'utf8')
    .split('\n')
    .flatMap((text) => {
      const [, target = '', port = ''] = /udp .*?dst=(\S+) sport=\d+ dport=(\d+)/.exec(text) ?? [];
      return target === '' ? [] : [`${target} ${port}`];
    })
    .sort();
}
