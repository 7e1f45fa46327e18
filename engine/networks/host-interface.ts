/** The interface of the host that a network is: its bridge, or the parent of its macvlan and ipvlan interfaces. */
import { SystemCallError } from '../kernel/libc.ts';
import { type Netlink, changeSlowly } from '../kernel/netlink.ts';
import { createChild, createDummy, deleteLink, setLinkUp } from '../kernel/rtnetlink.ts';
import { internal } from '../model/errors.ts';
import { findLink, makeBridge } from './bridge.ts';
import { readBridgeOptions } from './driver-options.ts';
import type { Network, Pool } from './networks.ts';
import { type InterfaceAddress, type Subnet, addressNumber, readSubnet } from './subnet.ts';

/** What stands on the host now, and whether we made it. */
export interface HostInterface {
  readonly index: number;
  readonly isOurs: boolean;
}

/**
 * Makes it or takes it over. `chooseAgain` is asked for other pools when those that were chosen turn out to be somebody
 * else's; null: whatever the network says stands.
 */
export function makeHostInterface(
  netlink: Netlink,
  parts: {
    readonly network: Network;
    readonly chooseAgain: ((refused: readonly Subnet[]) => Network) | null;
    readonly randomBytes: (size: number) => Buffer;
  },
): HostInterface & { readonly network: Network } {
  const { randomBytes } = parts;
  let { network } = parts;
  if (network.driver === 'host' || network.driver === 'null') return { index: 0, isOurs: false, network };
  if (network.driver !== 'bridge') return { ...makeParent(netlink, network), network };
  const wasThere = findLink(netlink, network.hostInterface) !== null;
  const mayChoose = parts.chooseAgain !== null && network.pools.every((pool) => !pool.isGiven);
  const made = makeBridge(netlink, {
    name: network.hostInterface,
    mtu: readBridgeOptions(network.options).mtu,
    whenClashing: mayChoose ? 'choose-again' : 'accept',
    randomBytes,
    addresses(refused) {
      if (refused.length > 0 && parts.chooseAgain !== null) network = parts.chooseAgain(refused);
      return network.pools.flatMap(gatewayAddress);
    },
  });
  return { index: made.index, isOurs: !wasThere, network };
}

/** Only what we made: a bridge or a parent that was there before stays. */
export async function removeHostInterface(netlink: Netlink, network: Network): Promise<void> {
  if (!network.isInterfaceOurs) return;
  const link = findLink(netlink, network.hostInterface);
  if (link !== null) await deleteSlowly(link);
}

/** Beside this thread: the API must not wait for it. */
export async function deleteSlowly(link: { readonly index: number }): Promise<void> {
  try {
    await changeSlowly([deleteLink(link)]);
  } catch (error) {
    // Somebody was faster, the end of its namespace for one.
    if (!(error instanceof SystemCallError) || error.code !== 'ENODEV') throw error;
  }
}

function gatewayAddress(pool: Pool): readonly InterfaceAddress[] {
  const address = pool.gateway === null ? null : addressNumber(pool.gateway);
  return address === null ? [] : [{ address, subnet: readSubnet(pool.subnet) }];
}

function makeParent(netlink: Netlink, network: Network): HostInterface {
  const name = network.hostInterface;
  const existing = findLink(netlink, name);
  if (existing !== null) return { index: existing.index, isOurs: false };
  sayWhatIsMissing(network.driver, () => {
    if (name.startsWith('dm-')) netlink.change([createDummy({ name })]);
    else makeTagged(netlink, name);
  });
  const made = findLink(netlink, name);
  if (made === null) throw internal(`the interface ${name} was removed while it was being made`);
  netlink.change([setLinkUp(made)]);
  return { index: made.index, isOurs: true };
}

/** Not every kernel has every kind of interface; its own words name a socket. */
export function sayWhatIsMissing(driver: Network['driver'], work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SystemCallError) || !['ENOTSUP', 'EOPNOTSUPP'].includes(error.code)) throw error;
    throw internal(`operation not supported: the kernel of this machine lacks what ${driver} networks need`, {
      cause: error,
    });
  }
}

/** `eth0.10`: tag 10 on eth0. */
function makeTagged(netlink: Netlink, name: string): void {
  const [, parentName = '', digits = ''] = /^(.+)\.(\d{1,4})$/.exec(name) ?? [];
  const tag = Number(digits);
  if (parentName === '' || tag < 1 || tag > 4094)
    throw internal(`invalid subinterface vlan name ${name}, example formatting is eth0.10`);
  const parent = findLink(netlink, parentName);
  if (parent === null) throw internal(`failed to find master interface ${parentName} on the Docker host`);
  netlink.change([
    createChild({ kind: 'vlan', tag, name, parentIndex: parent.index, macAddress: null, mtu: null, netnsFd: null }),
  ]);
}
