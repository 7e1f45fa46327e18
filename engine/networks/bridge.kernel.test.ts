import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { type Netlink, openNetlink } from '../kernel/netlink.ts';
import { addAddress, listAddresses, parseAddress } from '../kernel/rtnetlink-addresses.ts';
import { createBridge } from '../kernel/rtnetlink.ts';
import { enterFreshNetwork, linkIndex } from '../lab/network-lab.ts';
import { makeBridge } from './bridge.ts';
import { formatInterfaceAddress } from './subnet.ts';

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
    const made = makeBridge(overtaken, { name: 'skiff0', address: null, randomBytes });
    expect(formatInterfaceAddress(made.address)).not.toBe('172.17.0.1/16');
    const ours = netlink
      .read(listAddresses)
      .map(parseAddress)
      .filter((one) => one.linkIndex === made.index);
    expect(ours.map((one) => `${one.address}/${one.prefixLength}`)).toEqual([formatInterfaceAddress(made.address)]);
    expect(makeBridge(netlink, { name: 'skiff0', address: null, randomBytes })).toEqual(made);
  });
});
