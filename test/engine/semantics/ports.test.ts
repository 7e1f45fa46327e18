import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNamespace } from '../../../engine/kernel/netns.ts';
import { enterFreshNetwork } from '../../../engine/lab/network-lab.ts';
import { probe, serveEcho } from '../../../engine/lab/probe.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

type PortMap = Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>>;

interface Shown {
  readonly State: { readonly Pid: number; readonly Status: string; readonly Error: string };
  readonly HostConfig: { readonly PortBindings: PortMap };
  readonly NetworkSettings: { readonly Ports: PortMap };
}

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'semantics: published ports', () => {
  const stack = new AsyncDisposableStack();
  let engine: RunningEngine;
  let boxes: Boxes;

  beforeAll(async () => {
    stack.use(enterFreshNetwork());
    engine = stack.use(await startEngine());
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => stack.disposeAsync());

  const create = async (host: object, exposed: readonly string[] = []): Promise<string> => {
    const ExposedPorts = Object.fromEntries(exposed.map((port) => [port, {}]));
    const asked = { host: { NetworkMode: 'bridge', ...host }, config: { ExposedPorts } };
    return (await boxes.create(['sleep', '600'], asked)).id;
  };
  const keep = async (...args: Parameters<typeof create>): Promise<string> => {
    const id = await create(...args);
    await boxes.start(id);
    return id;
  };
  const portsOf = async (id: string): Promise<PortMap> => (await boxes.inspect<Shown>(id)).NetworkSettings.Ports;
  const onAll = (port: number | string) => [
    { HostIp: '0.0.0.0', HostPort: String(port) },
    { HostIp: '::', HostPort: String(port) },
  ];
  const bind = (HostPort: string, HostIp = '') => [{ HostIp, HostPort }];

  it('62: a port is bound on IPv4 and IPv6 alike, unless an address is named; TCP and UDP have ports of their own', async () => {
    const id = await keep({
      PortBindings: { '80/tcp': bind('7001'), '80/udp': bind('7001'), '81/tcp': bind('7002', '127.0.0.1') },
    });
    const ports = { '80/tcp': onAll(7001), '80/udp': onAll(7001), '81/tcp': bind('7002', '127.0.0.1') };
    expect(await portsOf(id)).toEqual(ports);
    const { stdout } = await docker(engine.socket, ['port', id]);
    expect(stdout.split('\n')).toEqual([
      '80/tcp -> 0.0.0.0:7001',
      '80/tcp -> [::]:7001',
      '80/udp -> 0.0.0.0:7001',
      '80/udp -> [::]:7001',
      '81/tcp -> 127.0.0.1:7002',
      '',
    ]);
    await boxes.remove(id);
  });

  it('62: of a range it is the first that is free', async () => {
    const one = await keep({ PortBindings: { '80/tcp': bind('7010-7012') } });
    const stranger = createServer().listen(7011, '::');
    await once(stranger, 'listening');
    const other = await keep({ PortBindings: { '80/tcp': bind('7010-7012') } });
    expect([await portsOf(one), await portsOf(other)]).toEqual([{ '80/tcp': onAll(7010) }, { '80/tcp': onAll(7012) }]);
    const late = await create({ PortBindings: { '80/tcp': bind('7010-7012') } });
    await expect(boxes.start(late)).rejects.toThrow('Bind for 0.0.0.0:7012 failed: port is already allocated');
    await new Promise((resolve) => stranger.close(resolve));
    for (const id of [one, other, late]) await boxes.remove(id);
  });

  it('62: any port is one of the kernel’s range that nobody has reserved', async () => {
    const ipv4 = '/proc/sys/net/ipv4';
    const before = readFileSync(`${ipv4}/ip_local_port_range`, 'utf8');
    writeFileSync(`${ipv4}/ip_local_port_range`, '40000 40007');
    writeFileSync(`${ipv4}/ip_local_reserved_ports`, '40000-40002,40004-40007');
    const id = await keep({ PortBindings: { '80/tcp': bind(''), '80/udp': bind('0') } });
    expect(await portsOf(id)).toEqual({ '80/tcp': onAll(40_003), '80/udp': onAll(40_003) });
    writeFileSync(`${ipv4}/ip_local_port_range`, before);
    writeFileSync(`${ipv4}/ip_local_reserved_ports`, '');
    await boxes.remove(id);
  });

  it('62, 63: all exposed ports on demand; what is not published is null; an empty list is any port', async () => {
    const all = await keep({ PublishAllPorts: true, PortBindings: { '80/tcp': bind('7020') } }, [
      '80/tcp',
      '81-82/udp',
    ]);
    const shown = await portsOf(all);
    expect(Object.keys(shown).sort()).toEqual(['80/tcp', '81/udp', '82/udp']);
    expect(shown['80/tcp']).toEqual(onAll(7020));
    const chosen = shown['81/udp']?.[0]?.HostPort ?? '';
    expect(Number(chosen)).toBeGreaterThan(1023);
    expect(shown['81/udp']).toEqual(onAll(chosen));
    const some = await keep({ PortBindings: { '80/tcp': [] } }, ['80/tcp', '81/tcp']);
    const { NetworkSettings, HostConfig } = await boxes.inspect<Shown>(some);
    expect(NetworkSettings.Ports['81/tcp']).toBeNull();
    expect(NetworkSettings.Ports['80/tcp']).toHaveLength(2);
    expect(Object.keys(HostConfig.PortBindings)).toEqual(['80/tcp']);
    await boxes.stop(some);
    expect(await portsOf(some)).toEqual({});
    for (const id of [all, some]) await boxes.remove(id);
  });

  it('63: lists show what is published and what is only exposed', async () => {
    const id = await keep({ PortBindings: { '80/tcp': bind('7030', '127.0.0.1') } }, ['80/tcp', '90/udp']);
    const filters = encodeURIComponent(JSON.stringify({ id: [id] }));
    const [listed] = (await call(engine.socket, 'GET', `/containers/json?filters=${filters}`)).json() as readonly {
      readonly Ports: readonly object[];
    }[];
    expect(listed?.Ports).toEqual([
      { IP: '127.0.0.1', PrivatePort: 80, PublicPort: 7030, Type: 'tcp' },
      { PrivatePort: 90, Type: 'udp' },
    ]);
    await boxes.remove(id);
  });

  describe('64: a port that somebody has', () => {
    it('is told by who has it: a container, or another program', async () => {
      const holder = await keep({ PortBindings: { '80/tcp': bind('7040') } });
      const refused = async (binding: object): Promise<string> => {
        const id = await create({ PortBindings: { '80/tcp': binding } });
        const message = await boxes.start(id).then(
          () => '',
          (error: unknown) => String(error),
        );
        const { State } = await boxes.inspect<Shown>(id);
        expect(State).toMatchObject({ Status: 'created', Error: expect.stringContaining('7') as string });
        await boxes.remove(id);
        return message;
      };
      expect(await refused(bind('7040'))).toContain('Bind for 0.0.0.0:7040 failed: port is already allocated');
      expect(await refused(bind('7040', '127.0.0.1'))).toContain(
        'Bind for 0.0.0.0:7040 failed: port is already allocated',
      );
      expect(await refused(bind('7040', '::1'))).toContain('Bind for :::7040 failed: port is already allocated');
      const stranger = createServer().listen(7041, '127.0.0.1');
      await once(stranger, 'listening');
      expect(await refused(bind('7041'))).toMatch(
        /failed to bind host port for 0.0.0.0:7041:172[0-9.]+:80.tcp: address already in use/,
      );
      await new Promise((resolve) => stranger.close(resolve));
      expect(await refused(bind('7042', '192.0.2.9'))).toContain(':80/tcp: cannot assign requested address');
      await boxes.remove(holder);
    });

    it('is free as soon as its container has ended, and bound again at the next start', async () => {
      const one = await keep({ PortBindings: { '80/tcp': bind('7050') } });
      await boxes.stop(one);
      const other = await keep({ PortBindings: { '80/tcp': bind('7050') } });
      await expect(boxes.start(one)).rejects.toThrow('port is already allocated');
      await boxes.remove(other);
      await boxes.start(one);
      expect(await portsOf(one)).toEqual({ '80/tcp': onAll(7050) });
      await boxes.remove(one);
    });
  });

  it.each([
    [{ 'x/tcp': [] }, 'invalid port specification: "x"'],
    [{ '80/tcp': [{ HostPort: 'x' }] }, 'invalid port specification: "x"'],
    [{ '80/tcp': [{ HostPort: '70000' }] }, 'invalid port specification: "70000"'],
  ])('62: %j is refused', async (PortBindings, message) => {
    const answer = await call(engine.socket, 'POST', '/containers/create', {
      Image: 'hello',
      HostConfig: { PortBindings },
    });
    expect([answer.status, answer.json()]).toEqual([400, { message }]);
  });

  it('62: SCTP is published where the kernel has it, and refused in plain words where it has not', async () => {
    const id = await create({ PortBindings: { '80/sctp': bind('7060') } });
    const isThere = readFileSync('/proc/net/protocols', 'utf8').includes('SCTP');
    if (isThere) {
      await boxes.start(id);
      expect(await portsOf(id)).toEqual({ '80/sctp': onAll(7060) });
    } else {
      await expect(boxes.start(id)).rejects.toThrow('protocol not supported: the kernel of this machine has no SCTP');
    }
    await boxes.remove(id);
  });

  it('65: who goes on sending to a UDP port is heard by the container that has it, by the one after, and by one that comes late', async () => {
    const client = createSocket('udp4').bind(0, '127.0.0.1');
    await once(client, 'listening');
    const heard: string[] = [];
    client.on('error', () => undefined); // nobody there yet: an ICMP error
    client.on('message', (message) => heard.push(message.toString()));
    const usurpers: string[] = [];
    let timer: NodeJS.Timeout | undefined;
    for (const _round of ['first', 'second', 'third']) {
      const id = await keep({ PortBindings: { '80/udp': bind('7070') } });
      // From the first on, and without a pause: each datagram keeps the kernel's memory of the flow alive.
      timer ??= setInterval(() => client.send('anybody?', 7070, '127.0.0.1'), 20);
      const { State } = await boxes.inspect<Shown>(id);
      {
        using namespace = openNamespace(`/proc/${State.Pid}/ns/net`);
        await using _server = serveEcho(namespace, { address: '0.0.0.0', port: 80 });
        heard.length = 0;
        await expect.poll(() => heard.length).toBeGreaterThan(0);
      }
      await boxes.remove(id);
      // Somebody else gets its address, or the flow would by chance lead to the next one.
      usurpers.push(await keep({}));
    }
    clearInterval(timer);
    client.close();
    for (const id of usurpers) await boxes.remove(id);
  });

  it('65: ports answer through the kernel while no engine runs, and by IPv6 again when there is one', async () => {
    const id = await keep({ PortBindings: { '80/tcp': bind('7080'), '80/udp': bind('7080') } });
    const { State } = await boxes.inspect<Shown>(id);
    using namespace = openNamespace(`/proc/${State.Pid}/ns/net`);
    await using _server = serveEcho(namespace, { address: '0.0.0.0', port: 80 });
    await engine.crash();
    expect(await probe(null, 'tcp', { address: '127.0.0.1', port: 7080, expected: 'answers' })).toBe('answers');
    await engine.start();
    for (const protocol of ['tcp', 'udp'] as const) {
      expect(await probe(null, protocol, { address: '127.0.0.1', port: 7080, expected: 'answers' })).toBe('answers');
      expect(await probe(null, protocol, { address: '::1', port: 7080, expected: 'answers' })).toBe('answers');
    }
    await boxes.remove(id);
  });
});
