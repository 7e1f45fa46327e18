import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { type Netlink, openNetlink } from '../kernel/netlink.ts';
import { addAddress, listAddresses, parseAddress } from '../kernel/rtnetlink-addresses.ts';
import { createBridge } from '../kernel/rtnetlink.ts';
import { enterFreshNetwork, linkIndex } from '../lab/network-lab.ts';
import { makeBridge } from './bridge.ts';
import { freeSubnet } from './default-pools.ts';
import { hostSubnets } from './host-subnets.ts';
import { type InterfaceAddress, type Subnet, formatInterfaceAddress } from './subnet.ts';

describeWith(['linux', 'root'], 'choosing a subnet', () => {
  let lab: Disposable;
  let netlink: Netlink;

  beforeEach(() => {
    lab = enterFreshNetwork();
    netlink = openNetlink();
  });
  afterEach(() => {
    netlink[Symbol.dispose]();
    lab[Symbol.dispose]();
  });

  it('gives way to an engine that chose the same between our look and our choice', () => {
    netlink.change([createBridge({ name: 'rival0', macAddress: '02:00:00:00:00:09' })]);
    const rival = linkIndex(netlink, 'rival0');
    let pendingRivals = ['172.17.0.1'];
    const overtaken: Netlink = {
      read: (request) => netlink.read(request),
      change(requests) {
        if (requests.some((request) => request.what.startsWith('add address'))) {
          netlink.change(pendingRivals.map((address) => addAddress({ index: rival, address, prefixLength: 16 })));
          pendingRivals = [];
        }
        netlink.change(requests);
      },
      [Symbol.dispose]: () => undefined,
    };
    const addresses = (refused: readonly Subnet[]): readonly InterfaceAddress[] => {
      const used = [...refused, ...hostSubnets(netlink, new Set())];
      const subnet = freeSubnet({ family: 4, engineId: 'one', used, luck: refused.length });
      return subnet === null ? [] : [{ address: subnet.base + 1n, subnet }];
    };
    const made = makeBridge(overtaken, {
      name: 'skiff0',
      mtu: null,
      addresses,
      whenClashing: 'choose-again',
      randomBytes,
    });
    expect(made.addresses.map(formatInterfaceAddress)).not.toContain('172.17.0.1/16');
    const ours = netlink
      .read(listAddresses)
      .map(parseAddress)
      .filter((one) => one.linkIndex === made.index);
    expect(ours.map((one) => `${one.address}/${one.prefixLength}`)).toEqual(made.addresses.map(formatInterfaceAddress));
    const again = {
      name: 'skiff0',
      mtu: null,
      addresses: () => made.addresses,
      whenClashing: 'fail',
      randomBytes,
    } as const;
    expect(makeBridge(netlink, again)).toEqual(made);
  });
});
