import { readlinkSync } from 'node:fs';
import os from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { Boxes } from '../box.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: with whom a container shares', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const outputOf = async (script: string, host: object = {}, config: object = {}): Promise<string> =>
    (await boxes.run(script, { host: { ...host }, config: { ...config } })).output.trimEnd();
  const own = (name: string): string => readlinkSync(`/proc/self/ns/${name}`);
  const namespaceOf = (name: string, host: object): Promise<string> => outputOf(`readlink /proc/self/ns/${name}`, host);

  it.each([
    ['pid', { PidMode: 'host' }],
    ['ipc', { IpcMode: 'host' }],
    ['uts', { UTSMode: 'host' }],
    ['cgroup', { CgroupnsMode: 'host' }],
    ['net', { NetworkMode: 'host' }],
  ])('the host’s %s namespace on demand alone', async (name, host) => {
    expect(await namespaceOf(name, host)).toBe(own(name));
    if (name !== 'cgroup') expect(await namespaceOf(name, {})).not.toBe(own(name));
  });

  it('82: a cgroup namespace of its own', async () => {
    const host = { CgroupnsMode: 'private' };
    expect(await namespaceOf('cgroup', host)).not.toBe(own('cgroup'));
    expect(await outputOf('grep -vc ":/$" /proc/self/cgroup', host)).toBe('0');
    expect(await outputOf('mount | grep "/sys/fs/cgroup" | grep -vc "(ro\\|tmpfs"')).toBe('0');
  });

  it('82: its part of the cgroups is writable when it is asked for', async () => {
    const SecurityOpt = ['writable-cgroups=true'];
    expect(await outputOf('mount | grep "cgroup.* on /sys/fs/cgroup" | grep -c "(rw"', { SecurityOpt })).not.toBe('0');
  });

  it('84: there is no mapping of users, so the host’s is what a container has', async () => {
    expect(await namespaceOf('user', { UsernsMode: 'host' })).toBe(own('user'));
    await expect(boxes.run('true', { host: { UsernsMode: 'other' } })).rejects.toThrow('invalid USER mode: other');
  });

  it('the host’s name with its UTS namespace', async () => {
    expect(await outputOf('hostname', { UTSMode: 'host' })).toBe(os.hostname());
    await expect(boxes.run('true', { host: { UTSMode: 'host' }, config: { Hostname: 'x' } })).rejects.toThrow(
      'conflicting options: hostname and the UTS mode',
    );
  });

  describe('of another container', () => {
    it('its processes', async () => {
      const donor = await boxes.keep({ name: 'pid-donor' }, ['sleep', '601']);
      expect(await outputOf('ps | grep -c "sleep [6]01"', { PidMode: 'container:pid-donor' })).toBe('1');
      const { id } = await boxes.create('true', { host: { PidMode: 'container:pid-donor' } });
      expect((await boxes.inspect<{ HostConfig: object }>(id)).HostConfig).toMatchObject({
        PidMode: `container:${donor}`,
      });
      await call(engine.socket, 'POST', `/containers/${donor}/kill`);
      await expect(boxes.start(id)).rejects.toThrow(`failed to join PID namespace: container ${donor} is not running`);
      await boxes.remove(id);
      await boxes.remove(donor);
    });

    it('59: its queues and its shared memory, when it shares them', async () => {
      const donor = await boxes.keep({ name: 'ipc-donor', host: { IpcMode: 'shareable', ShmSize: 2 ** 20 } }, [
        'sh',
        '-c',
        'echo given > /dev/shm/note; sleep 600',
      ]);
      await boxes.until(donor, 'cat /dev/shm/note', 'given\n');
      const script =
        'cat /dev/shm/note; echo back > /dev/shm/answer; readlink /proc/self/ns/ipc; df -k /dev/shm | tail -1';
      const first = await outputOf(script, { IpcMode: 'container:ipc-donor' });
      expect(first).toMatch(/^given\nipc:.*\nshm +1024 /s);
      // One that joins is joined itself.
      const joined = await boxes.keep({ host: { IpcMode: `container:${donor}` } });
      const second = await outputOf('cat /dev/shm/answer; readlink /proc/self/ns/ipc', {
        IpcMode: `container:${joined}`,
      });
      expect(second).toBe(`back\n${first.split('\n')[1] ?? ''}`);
      await boxes.remove(joined);
      await boxes.remove(donor);
    });

    it('59: nothing of one that does not share, or does not run', async () => {
      const donor = await boxes.keep({ name: 'ipc-private' });
      await expect(boxes.run('true', { host: { IpcMode: 'container:ipc-private' } })).rejects.toThrow(
        'non-shareable IPC (hint: use IpcMode:shareable for the donor container)',
      );
      await boxes.remove(donor);
      const { id: stopped } = await boxes.create('true', { host: { IpcMode: 'shareable' }, name: 'ipc-stopped' });
      await expect(boxes.run('true', { host: { IpcMode: 'container:ipc-stopped' } })).rejects.toThrow(
        /409.*is not running/,
      );
      await boxes.remove(stopped);
    });

    it('59: goes on while the engine is killed and comes back, and leaves nothing behind', async () => {
      const donor = await boxes.keep({ host: { IpcMode: 'shareable' } }, [
        'sh',
        '-c',
        'echo kept > /dev/shm/note; sleep 600',
      ]);
      await boxes.until(donor, 'cat /dev/shm/note', 'kept\n');
      await engine.crash();
      await engine.start();
      expect(await outputOf('cat /dev/shm/note', { IpcMode: `container:${donor}` })).toBe('kept');
      await boxes.remove(donor);
    });
  });

  describe('kernel settings', () => {
    it('76: of its network and its queues are its own', async () => {
      const Sysctls = { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '4096', 'net.core.somaxconn': '77' };
      const script = 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/net/core/somaxconn';
      expect(await outputOf(script, { Sysctls })).toBe('1\n4096\n77');
    });

    it('76: of ping and low ports are set so that no privilege is needed', async () => {
      const script = 'cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start';
      expect(await outputOf(script)).toBe('0\t2147483647\n0');
    });

    it.each([
      [
        'the whole host’s',
        { Sysctls: { 'kernel.panic': '1' } },
        'sysctl \\"kernel.panic\\" is not in a separate kernel namespace',
      ],
      [
        'of the host’s network',
        { NetworkMode: 'host', Sysctls: { 'net.ipv4.ip_forward': '1' } },
        'sysctl \\"net.ipv4.ip_forward\\" not allowed in host network namespace',
      ],
      [
        'of the host’s queues',
        { IpcMode: 'host', Sysctls: { 'fs.mqueue.msg_max': '9' } },
        'sysctl \\"fs.mqueue.msg_max\\" is not allowed in the hosts ipc namespace',
      ],
      [
        'of one interface',
        { Sysctls: { 'net.ipv4.conf.eth0.forwarding': '1' } },
        "must be supplied using driver option 'com.docker.network.endpoint.sysctls'",
      ],
    ])('76: %s are refused', async (_what, host, message) => {
      await expect(boxes.run('true', { host })).rejects.toThrow(message);
    });
  });
});
