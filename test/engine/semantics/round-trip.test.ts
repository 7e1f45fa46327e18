import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface Inspected {
  readonly Config: Readonly<Record<string, unknown>>;
  readonly HostConfig: Readonly<Record<string, unknown>>;
}

/** What Watchtower and others do: a container is made again from what inspect has shown of it. */
describeWith(['linux', 'root', { program: 'crun' }], 'semantics: from inspect to create', () => {
  let engine: RunningEngine;
  beforeAll(async () => void (engine = await startEngine()));
  afterAll(() => engine[Symbol.asyncDispose]());

  const make = async (body: object): Promise<Inspected> => {
    const created = await call(engine.socket, 'POST', '/containers/create', body);
    expect(created.status, created.text).toBe(201);
    const { Id } = created.json() as { Id: string };
    const shown = (await call(engine.socket, 'GET', `/containers/${Id}/json`)).json() as Inspected;
    await call(engine.socket, 'DELETE', `/containers/${Id}`);
    return shown;
  };

  const limits = {
    Memory: 2 ** 27,
    MemoryReservation: 2 ** 26,
    MemorySwappiness: 10,
    OomKillDisable: true,
    OomScoreAdj: -5,
    CpuShares: 512,
    CpuPeriod: 50_000,
    CpuQuota: 25_000,
    CpusetCpus: '0',
    CpusetMems: '0',
    PidsLimit: 100,
    BlkioDeviceReadBps: [{ Path: '/dev/loop0', Rate: 1024 }],
    BlkioDeviceWriteIOps: [{ Path: '/dev/loop0', Rate: 7 }],
    CgroupParent: '/there',
    Ulimits: [{ Name: 'nofile', Hard: 20, Soft: 10 }],
  };
  const privileges = {
    CapAdd: ['CAP_NET_ADMIN'],
    CapDrop: ['CAP_CHOWN', 'CAP_KILL'],
    SecurityOpt: ['no-new-privileges', 'seccomp=unconfined', 'apparmor=some'],
    Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/own', CgroupPermissions: 'r' }],
    DeviceCgroupRules: ['c 42:* rwm'],
    DeviceRequests: [
      { Driver: '', Count: -1, DeviceIDs: null, Capabilities: [['gpu', 'compute']], Options: { a: 'b' } },
    ],
    GroupAdd: ['44', 'video'],
    MaskedPaths: ['/proc/kcore'],
    ReadonlyPaths: [],
    Sysctls: { 'net.ipv4.ip_forward': '1' },
    ReadonlyRootfs: true,
  };
  const sharing = {
    IpcMode: 'shareable',
    PidMode: 'host',
    UTSMode: 'host',
    UsernsMode: 'host',
    CgroupnsMode: 'private',
  };
  const others = {
    Init: true,
    Annotations: { note: 'kept' },
    ShmSize: 2 ** 20,
    Runtime: 'crun',
    ConsoleSize: [24, 80],
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
    Tmpfs: { '/run': 'size=1m,mode=755' },
    ExtraHosts: ['a:1.2.3.4'],
    Dns: ['9.9.9.9'],
  };

  it.each([
    ['nothing', {}],
    ['limits', limits],
    ['privileges', privileges],
    ['what is shared', sharing],
    ['all the rest', others],
    ['everything', { ...limits, ...privileges, ...sharing, ...others }],
    ['a privileged one', { Privileged: true }],
  ])('loses nothing of %s', async (_what, HostConfig) => {
    const Config = {
      Image: 'hello',
      Cmd: ['sleep', '1'],
      Entrypoint: ['env'],
      Env: ['A=1', 'B', 'PATH=/bin'],
      User: '1000:50',
      WorkingDir: '/tmp',
      Tty: true,
      OpenStdin: true,
      Labels: { kept: 'yes' },
      StopSignal: 'SIGINT',
      StopTimeout: 7,
    };
    const first = await make({ ...Config, HostConfig });
    expect(first.HostConfig).toMatchObject({
      ...HostConfig,
      ...('PidMode' in HostConfig && 'SecurityOpt' in HostConfig
        ? { SecurityOpt: [...privileges.SecurityOpt, 'label=disable'] }
        : {}),
    });
    expect(first.Config).toMatchObject(Config);
    const { Hostname: _made, ...config } = first.Config;
    const second = await make({ ...config, HostConfig: first.HostConfig });
    expect(second.HostConfig).toEqual(first.HostConfig);
    const { Hostname: _other, ...again } = second.Config;
    expect(again).toEqual(config);
  });
});
