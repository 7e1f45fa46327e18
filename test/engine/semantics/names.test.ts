import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NetworkNamespace, openNamespace } from '../../../engine/kernel/netns.ts';
import { type Asked, ask, serveNames } from '../../../engine/lab/dns-client.ts';
import { enterFreshNetwork } from '../../../engine/lab/network-lab.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface Shown {
  readonly Id: string;
  readonly State: { readonly Pid: number };
  readonly HostsPath: string;
  readonly ResolvConfPath: string;
  readonly HostConfig: { readonly Links: readonly string[] | null };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string }>>;
  };
}

const unknown: Asked = { code: 'SERVFAIL', isTruncated: false, answers: [] };
const found = (...answers: readonly string[]): Asked => ({ code: 'NOERROR', isTruncated: false, answers });

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: names', () => {
  const stack = new AsyncDisposableStack();
  let engine: RunningEngine;
  let boxes: Boxes;

  beforeAll(async () => {
    // Without a way out, so that no question leaves this computer.
    stack.use(enterFreshNetwork());
    engine = stack.use(await startEngine());
    boxes = new Boxes(engine.socket);
    for (const network of [
      { Name: 'front', EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd00:7::/64' }] } },
      { Name: 'back' },
      { Name: 'inner', Internal: true },
    ])
      expect((await call(engine.socket, 'POST', '/networks/create', network)).status).toBe(201);
  });
  afterAll(() => stack.disposeAsync());

  const keep = (name: string, network: string, more: { host?: object; config?: object; endpoint?: object } = {}) =>
    boxes.keep({
      name,
      host: { NetworkMode: network, ...more.host },
      config: { ...more.config, NetworkingConfig: { EndpointsConfig: { [network]: more.endpoint ?? {} } } },
    });
  const inside = async (name: string): Promise<NetworkNamespace> =>
    stack.use(openNamespace(`/proc/${(await boxes.inspect<Shown>(name)).State.Pid}/ns/net`));
  const addressOf = async (name: string, network: string): Promise<string> =>
    (await boxes.inspect<Shown>(name)).NetworkSettings.Networks[network]?.IPAddress ?? '';
  const fileIn = async (name: string, file: string): Promise<string> =>
    (await docker(engine.socket, ['exec', name, 'cat', file])).stdout;

  describe('in networks of a client’s making', () => {
    let client: NetworkNamespace;
    let id: string;
    beforeAll(async () => {
      id = await keep('web', 'front', { config: { Hostname: 'hosty' }, endpoint: { Aliases: ['www', 'shared'] } });
      await keep('web-too', 'front', { endpoint: { Aliases: ['shared'] } });
      await keep('client', 'front', { endpoint: { Links: ['web:private'] } });
      await keep('apart', 'back');
      client = await inside('client');
    });

    it('67: a container has its name, its aliases, the beginning of its id and its host name, in any case', async () => {
      const address = await addressOf('web', 'front');
      for (const name of ['web', 'WEB', 'www', id.slice(0, 12), 'hosty', 'web.front'])
        expect(await ask(client, name), name).toEqual(found(address));
      expect(await ask(client, 'web', 'A', { transport: 'tcp' })).toEqual(found(address));
    });

    it('67: IPv6 has names of the same kind, and a name without an address of that kind is not unknown', async () => {
      const { GlobalIPv6Address } = (await boxes.inspect<Shown>('web')).NetworkSettings.Networks['front'] ?? {};
      expect(await ask(client, 'web', 'AAAA')).toEqual(found(GlobalIPv6Address ?? ''));
      expect(await ask(client, 'web', 'MX')).toEqual(found());
      expect(await ask(await inside('apart'), 'apart', 'AAAA')).toEqual(found());
    });

    it('67: addresses lead back to names, and a shared alias to all who share it', async () => {
      const address = await addressOf('web', 'front');
      const reversed = `${address.split('.').reverse().join('.')}.in-addr.arpa`;
      expect(await ask(client, reversed, 'PTR')).toEqual(found('web.front'));
      const { answers } = await ask(client, 'shared');
      expect([...answers].sort()).toEqual([address, await addressOf('web-too', 'front')].sort());
    });

    it('67: nobody knows containers of other networks, of the default bridge, or links of others', async () => {
      expect(await ask(client, 'apart')).toEqual(unknown);
      expect(await ask(client, 'private')).toEqual(found(await addressOf('web', 'front')));
      expect(await ask(await inside('web'), 'private')).toEqual(unknown);
      await keep('plain', 'bridge');
      expect(await ask(client, 'plain')).toEqual(unknown);
      expect(await fileIn('plain', '/etc/resolv.conf')).not.toContain('127.0.0.11');
    });

    it('6: a rename is a new name for those who run, and the end of the old one', async () => {
      const address = await addressOf('web-too', 'front');
      expect((await call(engine.socket, 'POST', '/containers/web-too/rename?name=site')).status).toBe(204);
      expect(await ask(client, 'site')).toEqual(found(address));
      expect(await ask(client, 'web-too')).toEqual(unknown);
      await call(engine.socket, 'POST', '/containers/site/rename?name=web-too');
    });

    it('70: names come with a connect and go with a disconnect', async () => {
      const apart = await inside('apart');
      expect(await ask(apart, 'web')).toEqual(unknown);
      const EndpointConfig = { Aliases: ['visitor'] };
      await call(engine.socket, 'POST', '/networks/front/connect', { Container: 'apart', EndpointConfig });
      expect(await ask(apart, 'web')).toEqual(found(await addressOf('web', 'front')));
      expect(await ask(client, 'visitor')).toEqual(found(await addressOf('apart', 'front')));
      await call(engine.socket, 'POST', '/networks/front/disconnect', { Container: 'apart' });
      expect(await ask(client, 'visitor')).toEqual(unknown);
      expect(await ask(apart, 'apart')).toEqual(found(await addressOf('apart', 'back')));
    });

    it('67: a container that has ended has no name', async () => {
      await keep('short', 'front');
      expect((await ask(client, 'short')).code).toBe('NOERROR');
      await boxes.stop('short');
      await expect.poll(() => ask(client, 'short')).toEqual(unknown);
      await boxes.start('short');
      expect(await ask(client, 'short')).toEqual(found(await addressOf('short', 'front')));
    });

    it('names resolve while no engine runs, and change again when there is one', async () => {
      await engine.crash();
      expect((await ask(client, 'web')).code).toBe('NOERROR');
      await engine.start();
      expect((await ask(client, 'web')).code).toBe('NOERROR');
      await keep('later', 'front');
      expect(await ask(client, 'later')).toEqual(found(await addressOf('later', 'front')));
    });
  });

  describe('68: who is asked for other names', () => {
    it('servers that the client named, from the container’s own network, and nobody from an internal network', async () => {
      await keep('asker', 'back', { host: { Dns: ['127.0.0.1'] } });
      const asker = await inside('asker');
      using server = serveNames(asker, '127.0.0.1', () => '192.0.2.7');
      expect(await ask(asker, 'example.com')).toEqual(found('192.0.2.7'));
      // A resolver asks again when an answer is late.
      expect(new Set(server.asked)).toEqual(new Set(['example.com']));
      await keep('insider', 'inner');
      expect(await ask(await inside('insider'), 'secret.example.com')).toEqual(unknown);
    });

    it('a file that its program has edited stays as it is', async () => {
      const id = await keep('editor', 'bridge');
      await docker(engine.socket, ['exec', 'editor', 'sh', '-c', 'echo nameserver 192.0.2.1 > /etc/resolv.conf']);
      await call(engine.socket, 'POST', '/networks/back/connect', { Container: id });
      expect(await fileIn('editor', '/etc/resolv.conf')).toBe('nameserver 192.0.2.1\n');
      await keep('reader', 'bridge');
      await call(engine.socket, 'POST', '/networks/back/connect', { Container: 'reader' });
      expect(await fileIn('reader', '/etc/resolv.conf')).toContain('nameserver 127.0.0.11\n');
    });

    it('domains and options are the client’s, with a number of dots that lets names of one word through', async () => {
      const read = async (host: object): Promise<string> =>
        (await boxes.run(['cat', '/etc/resolv.conf'], { host: { NetworkMode: 'back', ...host } })).output;
      expect(await read({ DnsSearch: ['a.example', 'b.example'] })).toMatch(
        /nameserver 127.0.0.11\nsearch a.example b.example\noptions .*ndots:0\n/,
      );
      expect(await read({ DnsOptions: ['ndots:3', 'rotate'] })).toContain('\noptions ndots:3 rotate\n');
      expect(await read({ DnsSearch: ['.'] })).not.toContain('search');
    });
  });

  it('69: /etc/hosts names the container in each network, and follows them in place', async () => {
    await keep('lister', 'front', {
      config: { Hostname: 'lister', Domainname: 'example.org' },
      host: { ExtraHosts: ['outer:host-gateway', 'six:[fd00::9]', 'four=192.0.2.4'] },
    });
    const { HostsPath, NetworkSettings } = await boxes.inspect<Shown>('lister');
    const before = statSync(HostsPath).ino;
    const own = NetworkSettings.Networks['front'];
    const gateway = await gatewayOfBridge(engine.socket);
    const text = readFileSync(HostsPath, 'utf8');
    expect(text.split('\n').slice(6)).toEqual([
      `${gateway}\touter`,
      'fd00::9\tsix',
      '192.0.2.4\tfour',
      `${own?.IPAddress}\tlister.example.org lister`,
      `${own?.GlobalIPv6Address}\tlister.example.org lister`,
      '',
    ]);
    await docker(engine.socket, ['exec', 'lister', 'sh', '-c', 'echo 192.0.2.9 mine >> /etc/hosts']);
    await call(engine.socket, 'POST', '/networks/back/connect', { Container: 'lister' });
    const address = await addressOf('lister', 'back');
    expect(await fileIn('lister', '/etc/hosts')).toBe(`${text}192.0.2.9 mine\n${address}\tlister.example.org lister\n`);
    await call(engine.socket, 'POST', '/networks/back/disconnect', { Container: 'lister' });
    expect(await fileIn('lister', '/etc/hosts')).toBe(`${text}192.0.2.9 mine\n`);
    expect(statSync(HostsPath).ino).toBe(before);
  });

  it('69: without IPv6 there are no lines of it', async () => {
    const host = { NetworkMode: 'back', Sysctls: { 'net.ipv6.conf.all.disable_ipv6': '1' } };
    expect((await boxes.run(['cat', '/etc/hosts'], { host })).output).not.toContain('::');
  });

  it('74: who shares a network shares its files and its host name', async () => {
    await keep('donor', 'back', { config: { Hostname: 'donor-host' } });
    const files = 'cat /etc/hosts /etc/hostname /etc/resolv.conf';
    const shared = await boxes.run(`hostname; echo $HOSTNAME; ${files}`, { host: { NetworkMode: 'container:donor' } });
    const own = await docker(engine.socket, ['exec', 'donor', 'sh', '-c', files]);
    expect(shared.output).toBe(`donor-host\ndonor-host\n${own.stdout}`);
  });

  describe('75: links of the default bridge', () => {
    let address = '';
    beforeAll(async () => {
      await keep('postgres', 'bridge', {
        config: { Hostname: 'pg-host', Env: ['USER=me'], ExposedPorts: { '5432/tcp': {}, '81-82/udp': {} } },
      });
      await keep('app', 'bridge', { host: { Links: ['postgres:my-db', 'postgres'] } });
      address = await addressOf('postgres', 'bridge');
    });

    it('tell where the other is, in variables and in the hosts file', async () => {
      const { stdout } = await docker(engine.socket, ['exec', 'app', 'env']);
      expect(stdout.split('\n').filter((line) => line.startsWith('MY_DB_'))).toEqual([
        `MY_DB_PORT=tcp://${address}:5432`,
        `MY_DB_PORT_5432_TCP=tcp://${address}:5432`,
        `MY_DB_PORT_5432_TCP_ADDR=${address}`,
        'MY_DB_PORT_5432_TCP_PORT=5432',
        'MY_DB_PORT_5432_TCP_PROTO=tcp',
        `MY_DB_PORT_81_UDP=udp://${address}:81`,
        `MY_DB_PORT_81_UDP_ADDR=${address}`,
        'MY_DB_PORT_81_UDP_PORT=81',
        'MY_DB_PORT_81_UDP_PROTO=udp',
        `MY_DB_PORT_82_UDP=udp://${address}:82`,
        `MY_DB_PORT_82_UDP_ADDR=${address}`,
        'MY_DB_PORT_82_UDP_PORT=82',
        'MY_DB_PORT_82_UDP_PROTO=udp',
        `MY_DB_PORT_81_UDP_START=udp://${address}:81`,
        'MY_DB_PORT_81_UDP_PORT_START=81',
        `MY_DB_PORT_81_UDP_END=udp://${address}:82`,
        'MY_DB_PORT_81_UDP_PORT_END=82',
        'MY_DB_NAME=/app/my-db',
        'MY_DB_ENV_USER=me',
      ]);
      const hosts = await fileIn('app', '/etc/hosts');
      expect(hosts).toContain(`${address}\tmy-db pg-host postgres\n${address}\tpostgres pg-host\n`);
    });

    it('are names of the other in lists, and ways to say its name', async () => {
      const listed = (await call(engine.socket, 'GET', '/containers/json')).json() as readonly {
        readonly Names: readonly string[];
      }[];
      const names = listed.map(({ Names }) => Names).find((one) => one.includes('/postgres'));
      expect(names).toEqual(['/app/my-db', '/app/postgres', '/postgres']);
      expect((await boxes.inspect<Shown>('app/my-db')).Id).toBe((await boxes.inspect<Shown>('postgres')).Id);
      expect((await boxes.inspect<Shown>('app')).HostConfig.Links).toEqual([
        '/postgres:/app/my-db',
        '/postgres:/app/postgres',
      ]);
    });

    it('follow the other to its next address, and refuse to start without it', async () => {
      await boxes.stop('postgres');
      const { id } = await boxes.create('true', {
        name: 'early',
        host: { NetworkMode: 'bridge', Links: ['postgres:x'] },
      });
      await expect(boxes.start(id)).rejects.toThrow('Cannot link to a non running container: /postgres AS /early/x');
      await keep('usurper', 'bridge');
      await boxes.start('postgres');
      const next = await addressOf('postgres', 'bridge');
      expect(await fileIn('app', '/etc/hosts')).toContain(`${next}\tmy-db pg-host postgres\n`);
    });

    it.each([
      [['nobody:x'], 400, 'could not get container for nobody: No such container: nobody'],
      [['a:b:c'], 500, 'bad format for links: a:b:c'],
      [[''], 500, 'empty string specified for links'],
    ])('%j is refused', async (Links, status, message) => {
      const body = { Image: 'hello', HostConfig: { Links } };
      const answer = await call(engine.socket, 'POST', '/containers/create', body);
      expect([answer.status, answer.json()]).toEqual([status, { message }]);
    });
  });
});

async function gatewayOfBridge(socket: string): Promise<string> {
  const shown = (await call(socket, 'GET', '/networks/bridge')).json() as {
    readonly IPAM: { readonly Config: readonly { readonly Gateway: string }[] };
  };
  return shown.IPAM.Config[0]?.Gateway ?? '';
}
