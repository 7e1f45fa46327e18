import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { ask, sendBytes, serveNames } from '../../lab/dns-client.ts';
import { enterFreshNetwork, linkIndex } from '../../lab/network-lab.ts';
import { openNetlink } from '../../kernel/netlink.ts';
import { type NetworkNamespace, makeNamespace, pinNamespace, unpinNamespace } from '../../kernel/netns.ts';
import { processStartTicks } from '../../kernel/pidfd.ts';
import { setLinkUp } from '../../kernel/rtnetlink.ts';
import { newContainerId, newNetworkId } from '../../model/ids.ts';
import type { NameServer } from './name-server.ts';
import type { NamedContainer, NamedEndpoint } from './named-container.ts';
import { openNameServer } from './open-name-server.ts';

const front = newNetworkId();
const back = newNetworkId();

/** As long as a busy computer may need. */
const patience = { timeout: 20_000 };

describeWith(['linux', 'root'], 'the name server', () => {
  let folder = '';
  let lab: Disposable;
  let stack: AsyncDisposableStack;
  let names: NameServer;
  let reports: string[];

  const opened = (build?: string): NameServer =>
    openNameServer({
      ...(build === undefined ? {} : { build }),
      folder: join(folder, 'dns'),
      report: (message) => reports.push(message),
      resolvConf: join(folder, 'resolv.conf'),
      idleMs: 200,
    });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-names-'));
    writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.53\n');
    stack = new AsyncDisposableStack();
    lab = enterFreshNetwork();
    reports = [];
    names = opened();
  });

  afterEach(async () => {
    const pids = serverPids();
    await names.end();
    await stack.disposeAsync();
    lab[Symbol.dispose]();
    await vi.waitFor(() => expect(pids.filter((pid) => processStartTicks(pid) !== null)).toEqual([]), patience);
    rmSync(folder, { recursive: true });
  });

  const serverPids = (): number[] => [...processesBelow(folder)];
  /** A namespace with lo up, as containers have it, and what the name server is told of it. */
  const container = (
    endpoints: readonly Partial<NamedEndpoint>[],
    more: Partial<NamedContainer> = {},
  ): { readonly named: NamedContainer; readonly inside: NetworkNamespace } => {
    const containerId = newContainerId();
    const netnsPath = join(folder, 'netns', containerId);
    const inside = stack.use(makeNamespace());
    inside.enter(() => {
      using netlink = openNetlink();
      netlink.change([setLinkUp({ index: linkIndex(netlink, 'lo') })]);
    });
    pinNamespace(inside, netnsPath);
    stack.defer(() => unpinNamespace(netnsPath));
    const base = { networkId: front, networkName: 'front', addresses: [], names: [], links: {} };
    return {
      inside,
      named: {
        containerId,
        netnsPath,
        endpoints: endpoints.map((endpoint) => ({ ...base, ...endpoint })),
        upstream: { kind: 'host' },
        asksForDomains: false,
        ...more,
      },
    };
  };
  const put = async (...args: Parameters<typeof container>): Promise<ReturnType<typeof container>> => {
    const made = container(...args);
    await names.put(made.named);
    return made;
  };
  const answers = (...list: readonly string[]) => ({ code: 'NOERROR', isTruncated: false, answers: list });
  const noAnswer = { code: 'SERVFAIL', isTruncated: false, answers: [] };

  it('knows a container by each of its names, in any case, alone and with its network, and turns addresses back', async () => {
    await put([{ names: ['web', 'www', '0123456789ab'], addresses: ['172.18.0.2', 'fd00::2'] }]);
    const { inside } = await put([{ names: ['client'], addresses: ['172.18.0.3'] }]);
    for (const name of ['web', 'WWW', '0123456789ab', 'web.front', 'Www.Front'])
      expect(await ask(inside, name)).toEqual(answers('172.18.0.2'));
    expect(await ask(inside, 'web', 'AAAA')).toEqual(answers('fd00::2'));
    expect(await ask(inside, 'client', 'AAAA')).toEqual(answers());
    expect(await ask(inside, 'web', 'MX')).toEqual(answers());
    expect(await ask(inside, '2.0.18.172.in-addr.arpa', 'PTR')).toEqual(answers('web.front'));
    const reversed = `${'2.0.0.0.'.padEnd(56, '0.')}0.0.d.f.ip6.arpa`;
    expect(await ask(inside, reversed, 'PTR')).toEqual(answers('web.front'));
    expect(await ask(inside, 'web', 'A', { transport: 'tcp' })).toEqual(answers('172.18.0.2'));
  });

  it('shows a container the networks that it is in and no other, and links to nobody else', async () => {
    await put([{ names: ['db'], addresses: ['172.19.0.2'], networkId: back, networkName: 'back' }]);
    await put([{ names: ['web'], addresses: ['172.18.0.2'] }]);
    const both = await put([
      { names: ['app'], addresses: ['172.18.0.4'], links: { site: 'web' } },
      { names: ['app'], addresses: ['172.19.0.4'], networkId: back, networkName: 'back' },
    ]);
    const outsider = await put([{ names: ['client'], addresses: ['172.18.0.3'] }]);
    expect(await ask(both.inside, 'db')).toEqual(answers('172.19.0.2'));
    expect(await ask(both.inside, 'db.front')).toEqual(noAnswer);
    expect(await ask(both.inside, 'site')).toEqual(answers('172.18.0.2'));
    expect(await ask(outsider.inside, 'db')).toEqual(noAnswer);
    expect(await ask(outsider.inside, 'site')).toEqual(noAnswer);
    expect(await ask(outsider.inside, '2.0.19.172.in-addr.arpa', 'PTR')).toEqual(noAnswer);
  });

  it('mixes the containers of an alias anew each time, and cuts what does not fit into a datagram', async () => {
    const addresses = Array.from({ length: 40 }, (_, at) => `172.18.1.${at}`);
    const { inside } = await put([{ names: ['client'], addresses: ['172.18.0.3'] }]);
    for (const address of addresses) await put([{ names: ['crowd'], addresses: [address] }]);
    const short = await ask(inside, 'crowd');
    expect(short.isTruncated).toBe(true);
    expect(short.answers.length).toBeGreaterThan(20);
    const wide = await ask(inside, 'crowd', 'A', { udpPayloadSize: 4096 });
    const again = await ask(inside, 'crowd', 'A', { transport: 'tcp' });
    for (const whole of [wide, again]) {
      expect(whole.isTruncated).toBe(false);
      expect(whole.answers.toSorted()).toEqual(addresses.toSorted());
    }
    expect(wide.answers).not.toEqual(again.answers);
  });

  it("passes other names on: to the host's servers from the host, to named servers from inside, to nobody from an internal network", async () => {
    using host = serveNames(null, '127.0.0.53', () => '192.0.2.53');
    const ordinary = await put([{ names: ['a'] }]);
    const own = await put([{ names: ['b'] }], { upstream: { kind: 'servers', servers: ['127.0.0.1'] } });
    const internal = await put([{ names: ['c'] }], { upstream: { kind: 'none' } });
    const picky = await put([{ names: ['d'] }], { asksForDomains: true });
    using inside = serveNames(own.inside, '127.0.0.1', () => '192.0.2.1');
    expect(await ask(ordinary.inside, 'example.com')).toEqual(answers('192.0.2.53'));
    expect(await ask(ordinary.inside, 'example.com', 'A', { transport: 'tcp' })).toEqual(answers('192.0.2.53'));
    expect(await ask(own.inside, 'example.com')).toEqual(answers('192.0.2.1'));
    expect(await ask(own.inside, 'example.com', 'A', { transport: 'tcp' })).toEqual(answers('192.0.2.1'));
    expect(await ask(internal.inside, 'secret.example.com')).toEqual(noAnswer);
    expect(await ask(picky.inside, 'oneword')).toEqual(answers());
    expect(await ask(picky.inside, 'two.words')).toEqual(answers('192.0.2.53'));
    // A resolver asks again when an answer is late.
    expect(new Set(host.asked)).toEqual(new Set(['example.com', 'two.words']));
    expect(new Set(inside.asked)).toEqual(new Set(['example.com']));
  });

  it('asks the next server when one refuses or is not there, and reads the servers of the host anew', async () => {
    using refusing = serveNames(null, '127.0.0.54', () => 'refused');
    using knowing = serveNames(null, '127.0.0.55', () => '192.0.2.55');
    const { inside } = await put([{ names: ['a'] }]);
    expect(await ask(inside, 'example.com')).toEqual(noAnswer);
    writeFileSync(
      join(folder, 'resolv.conf'),
      'nameserver 127.0.0.53\nnameserver 127.0.0.54\nnameserver 127.0.0.55 # good\n',
    );
    expect(await ask(inside, 'example.com')).toEqual(answers('192.0.2.55'));
    expect(new Set(refusing.asked)).toEqual(new Set(['example.com']));
    expect(new Set(knowing.asked)).toEqual(new Set(['example.com']));
  });

  it('says FORMERR to what it cannot read, and nothing to answers', async () => {
    const { inside } = await put([{ names: ['a'], addresses: ['172.18.0.2'] }]);
    const broken = Buffer.from('1234010000010000000000003f61', 'hex');
    expect((await sendBytes(inside, broken)).toString('hex')).toBe('123481010000000000000000');
    expect(await ask(inside, 'a')).toEqual(answers('172.18.0.2'));
  });

  it('follows changes, and forgets who has gone', async () => {
    const web = await put([{ names: ['web'], addresses: ['172.18.0.2'] }]);
    const { inside } = await put([{ names: ['client'] }]);
    await names.put({ ...web.named, endpoints: [{ ...web.named.endpoints[0], names: ['site'] } as NamedEndpoint] });
    expect(await ask(inside, 'web')).toEqual(noAnswer);
    expect(await ask(inside, 'site')).toEqual(answers('172.18.0.2'));
    names.drop(web.named.containerId);
    await vi.waitFor(async () => expect(await ask(inside, 'site')).toEqual(noAnswer), patience);
  });

  it('answers while no engine is there, and is taken over by the next', async () => {
    const web = await put([{ names: ['web'], addresses: ['172.18.0.2'] }]);
    const gone = await put([{ names: ['gone'], addresses: ['172.18.0.3'] }]);
    const before = serverPids();
    await names[Symbol.asyncDispose]();
    expect(await ask(web.inside, 'gone')).toEqual(answers('172.18.0.3'));
    names = opened();
    await names.restore([web.named]);
    expect(await ask(web.inside, 'web')).toEqual(answers('172.18.0.2'));
    expect(await ask(web.inside, 'gone')).toEqual(noAnswer);
    expect(serverPids()).toEqual(before);
    expect(gone.named.endpoints).toHaveLength(1);
  });

  it('gives way to that of a newer engine, which tells it nothing and asks it nothing', async () => {
    const web = await put([{ names: ['web'], addresses: ['172.18.0.2'] }]);
    const before = serverPids();
    await names[Symbol.asyncDispose]();
    names = opened('another-build');
    await names.restore([web.named]);
    expect(await ask(web.inside, 'web')).toEqual(answers('172.18.0.2'));
    expect(serverPids()).toHaveLength(1);
    expect(serverPids()).not.toEqual(before);
  });

  it('ends when an engine comes that has no containers with names', async () => {
    await put([{ names: ['web'], addresses: ['172.18.0.2'] }]);
    await names[Symbol.asyncDispose]();
    expect(serverPids()).toHaveLength(1);
    names = opened();
    await names.restore([]);
    await vi.waitFor(() => expect(serverPids()).toEqual([]), patience);
  });

  it('is started again when it was killed, and knows everybody', async () => {
    const web = await put([{ names: ['web'], addresses: ['172.18.0.2'] }]);
    const [pid = 0] = serverPids();
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await ask(web.inside, 'web')).toEqual(answers('172.18.0.2')), patience);
    expect(reports).toEqual(['the name server has ended, another one is started']);
    expect(serverPids()).not.toContain(pid);
  });

  it('names what keeps a resolver from being made', async () => {
    const { named } = container([{ names: ['web'] }]);
    await expect(names.put({ ...named, netnsPath: join(folder, 'none') })).rejects.toThrow(
      `the resolver of container ${named.containerId}: ENOENT`,
    );
  });
});

/** Name servers whose socket lies below `folder`. */
function* processesBelow(folder: string): Generator<number> {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = commandLine(name);
    if (words.includes('dns/main.ts') && words.includes(folder)) yield Number(name);
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // ended since the folder was listed
  }
}
