import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { readMounts } from './mount-table.ts';
import { changeSlowly, openNetlink } from './netlink.ts';
import { makeNamespace, openNamespace, pinNamespace, unpinNamespace } from './netns.ts';
import { openNft } from './nft.ts';
import {
  addAddress,
  addDefaultRoute,
  listAddresses,
  listRoutes,
  parseAddress,
  parseRoute,
} from './rtnetlink-addresses.ts';
import {
  createBridge,
  createVethPair,
  deleteLink,
  getLink,
  listLinks,
  parseLink,
  setPortOptions,
  setLinkUp,
} from './rtnetlink.ts';

const here = (): string => readlinkSync('/proc/thread-self/ns/net');

describeWith(['linux', 'root'], 'namespaces, interfaces and rules', () => {
  let folder = '';
  let descriptors: readonly string[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-netns-'));
    descriptors = networkDescriptors();
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    expect(networkDescriptors()).toEqual(descriptors);
    expect(readMounts().filter((entry) => entry.target.startsWith(folder))).toEqual([]);
  });

  it('enters a namespace for a call and comes back, also from a failing one', () => {
    const home = here();
    using namespace = makeNamespace();
    expect(here()).toBe(home);
    expect(namespace.enter(here)).not.toBe(home);
    const failing = (): string => {
      throw new Error('inside');
    };
    expect(() => namespace.enter(failing)).toThrow('inside');
    expect(here()).toBe(home);
  });

  it('pins a namespace to a file, from which it is opened again until it is unpinned', () => {
    const path = join(folder, 'deep', 'one');
    const pinnedAndClosed = (): string => {
      using namespace = makeNamespace();
      pinNamespace(namespace, path);
      expect(() => pinNamespace(namespace, path)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
      return namespace.enter(here);
    };
    const name = pinnedAndClosed();
    {
      using again = openNamespace(path);
      expect(again.enter(here)).toBe(name);
    }
    unpinNamespace(path);
    expect(existsSync(path)).toBe(false);
    unpinNamespace(path);
    expect(() => openNamespace(path)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    writeFileSync(path, '');
    using wrong = openNamespace(path);
    expect(() => wrong.enter(here)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('makes a bridge, joins another namespace to it, and lists what is there', () => {
    using host = makeNamespace();
    using container = makeNamespace();
    using netlink = host.enter(openNetlink);
    using inside = container.enter(openNetlink);
    netlink.change([createBridge({ name: 'br0', macAddress: '02:00:00:00:00:01' })]);
    const [bridge] = netlink.read(getLink('br0')).map(parseLink);
    const bridgeIndex = bridge?.index ?? 0;
    const peer = { name: 'eth0', macAddress: '02:00:00:00:00:02', netnsFd: container.fd };
    netlink.change([
      addAddress({ index: bridgeIndex, address: '10.5.0.1', prefixLength: 24 }),
      setLinkUp({ index: bridgeIndex }),
      createVethPair({ name: 'v0', masterIndex: bridgeIndex, peer }),
      setPortOptions({ name: 'v0', isIsolated: false }),
    ]);
    const [eth0] = inside.read(getLink('eth0')).map(parseLink);
    const index = eth0?.index ?? 0;
    inside.change([
      addAddress({ index, address: '10.5.0.2', prefixLength: 24 }),
      setLinkUp({ index }),
      addDefaultRoute({ gateway: '10.5.0.1' }),
    ]);
    expect(netlink.read(listLinks).map(parseLink)).toMatchObject([
      { name: 'lo', kind: '', isUp: false },
      { name: 'br0', kind: 'bridge', isUp: true, masterIndex: null },
      { name: 'v0', kind: 'veth', isUp: true, masterIndex: bridgeIndex },
    ]);
    expect(
      inside
        .read(listAddresses)
        .map(parseAddress)
        .filter(({ family }) => family === 4),
    ).toEqual([{ family: 4, linkIndex: index, address: '10.5.0.2', prefixLength: 24 }]);
    expect(inside.read(listRoutes).map(parseRoute)).toContainEqual({
      family: 4,
      destination: '0.0.0.0',
      prefixLength: 0,
      linkIndex: index,
      gateway: '10.5.0.1',
      table: 254,
    });
    netlink.change([deleteLink({ index: bridgeIndex })]);
    expect(netlink.read(listLinks).map((body) => parseLink(body).name)).not.toContain('br0');
  });

  it('deletes beside this thread, and says what was refused', async () => {
    using host = makeNamespace();
    using netlink = host.enter(openNetlink);
    netlink.change([createBridge({ name: 'br0', macAddress: '02:00:00:00:00:01' })]);
    const index = netlink.read(getLink('br0')).map(parseLink)[0]?.index ?? 0;
    let work: Promise<void> = Promise.resolve();
    host.enter(() => {
      work = changeSlowly([deleteLink({ index })]);
    });
    await work;
    expect(netlink.read(listLinks).map((body) => parseLink(body).name)).toEqual(['lo']);
    host.enter(() => {
      work = changeSlowly([deleteLink({ index })]);
    });
    await expect(work).rejects.toThrow(`netlink delete interface ${index}: no such device (ENODEV)`);
  });

  it('names the request that the kernel refused, wherever it stood, and goes on working', () => {
    using host = makeNamespace();
    using netlink = host.enter(openNetlink);
    const bridge = (name: string) => createBridge({ name, macAddress: '02:00:00:00:00:01' });
    expect(() => netlink.change([bridge('a'), bridge('a'), bridge('b')])).toThrow(
      expect.objectContaining({ code: 'EEXIST', message: expect.stringContaining('create bridge a') as string }),
    );
    expect(() => netlink.read(getLink('nothing'))).toThrow(expect.objectContaining({ code: 'ENODEV' }));
    expect(() => netlink.change([bridge('x'.repeat(16))])).toThrow('create bridge xxxx');
    expect(netlink.read(listLinks).map((body) => parseLink(body).name)).toEqual(['lo', 'a', 'b']);
  });

  it('runs rules as a whole or not at all, and tells what the library says', () => {
    using host = makeNamespace();
    using nft = host.enter(openNft);
    nft.run('table inet t {\n map m {\n type inet_service : ipv4_addr\n }\n}\n');
    nft.run('add element inet t m { 80 : 10.0.0.1 }\nadd element inet t m { 81 : 10.0.0.2 }\n');
    expect(() => nft.run('add element inet t m { 82 : 10.0.0.3 }\ndelete element inet t m { 99 }\n')).toThrow(
      'No such file or directory',
    );
    expect(nft.list('list map inet t m')).toContain('elements = { 80 : 10.0.0.1, 81 : 10.0.0.2 }');
    expect(nft.listJson('list map inet t m')).toContainEqual(
      expect.objectContaining({
        map: expect.objectContaining({
          name: 'm',
          elem: [
            [80, '10.0.0.1'],
            [81, '10.0.0.2'],
          ],
        }) as object,
      }),
    );
    expect(() => nft.run('nonsense')).toThrow('syntax error');
    nft[Symbol.dispose]();
    expect(() => nft.run('list ruleset')).toThrow('closed');
  });
});

/** Descriptors of this process that hold namespaces or netlink sockets. */
function networkDescriptors(): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return /^(net:|socket:)/.test(target) ? [target] : [];
    } catch {
      // The descriptor that listed the folder.
      return [];
    }
  });
}
