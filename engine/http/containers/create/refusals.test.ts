import { describe, expect, it } from 'vitest';
import { fitToHost } from '../../../containers/spec/fit-to-host.ts';
import type { HostFacts } from '../../../runtime/container-settings.ts';
import { EngineError } from '../../../model/errors.ts';
import { readCreateBody } from './body.ts';

/** A host with cgroups v1 and no weights for block devices, as the one on which the answers were taken down. */
const host: HostFacts = {
  cgroupVersion: 1,
  arch: 'x64',
  kernel: [6, 18],
  capabilities: ['CAP_CHOWN', 'CAP_NET_ADMIN'],
  hasSeccomp: true,
  hasAppArmor: false,
  controls: {
    hasMemory: true,
    hasSwap: true,
    hasSwappiness: true,
    hasOomKillSwitch: true,
    hasPids: true,
    hasCpuShares: true,
    hasCpuQuota: true,
    hasRealtime: true,
    sets: { cpus: '0-1', mems: '0' },
    hasBlkioWeight: false,
    hasBlkioWeightDevice: false,
    hasBlkioRates: true,
    processors: 2,
  },
  cpuCount: 2,
  maxOpenFiles: 20_000,
  devices: [],
};

/** The message of a refusal, or the warnings of a container that can be made. */
function answerTo(body: Record<string, unknown>): string | readonly string[] {
  try {
    return fitToHost(
      readCreateBody(body, null, () => null),
      host,
    ).warnings;
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'invalid') return error.message;
    throw error;
  }
}

const withHost = (hostConfig: Record<string, unknown>): Record<string, unknown> => ({
  Image: 'hello',
  HostConfig: hostConfig,
});

/** Answers of dockerd 28.5.2 to the same bodies, word for word. */
const refusals: readonly (readonly [hostConfig: Record<string, unknown>, message: string])[] = [
  [{ Memory: 1024 }, 'Minimum memory limit allowed is 6MB'],
  [{ Memory: -5 }, 'Minimum memory limit allowed is 6MB'],
  [
    { Memory: '5m' },
    'invalid JSON: json: cannot unmarshal string into Go struct field .HostConfig.Memory of type int64',
  ],
  [
    { Memory: 1.5 },
    'invalid JSON: json: cannot unmarshal number 1.5 into Go struct field .HostConfig.Memory of type int64',
  ],
  [{ MemorySwap: 1e9 }, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
  [{ Memory: 1e8, MemorySwap: 1e7 }, 'Minimum memoryswap limit should be larger than memory limit, see usage'],
  [{ MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
  [{ MemorySwappiness: -2 }, 'Invalid value: -2, valid memory swappiness range is 0-100'],
  [
    { Memory: 1e8, MemoryReservation: 2e8 },
    'Minimum memory limit can not be less than memory reservation limit, see usage',
  ],
  [{ MemoryReservation: 100 }, 'Minimum memory reservation allowed is 6MB'],
  [{ NanoCpus: 1e9, CpuQuota: 50_000 }, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
  [{ NanoCpus: 1e9, CpuPeriod: 50_000 }, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
  [{ NanoCpus: 1e12 }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
  [{ NanoCpus: -1 }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
  [{ CpuPeriod: 10 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [{ CpuPeriod: 1e7 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [{ CpuPeriod: -1 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [{ CpuQuota: 10 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
  [{ CpuShares: -1 }, 'invalid CPU shares (-1): value must be a positive integer'],
  [{ CpusetCpus: 'x' }, 'Invalid value x for cpuset cpus: invalid format: x'],
  [{ CpusetCpus: '0-63' }, 'Requested CPUs are not available - requested 0-63, available: 0-1'],
  [{ CpusetCpus: '3-1' }, 'Invalid value 3-1 for cpuset cpus: invalid format: 3-1'],
  [{ CpusetCpus: ',' }, 'Invalid value , for cpuset cpus: invalid format: ,'],
  [{ CpusetCpus: '99999999' }, 'Invalid value 99999999 for cpuset cpus: value of out range, maximum is 8192'],
  [{ CpusetMems: 'x' }, 'Invalid value x for cpuset mems: invalid format: x'],
  [{ CpusetMems: '7' }, 'Requested memory nodes are not available - requested 7, available: 0'],
  [
    { CpuRealtimeRuntime: 2_000_000, CpuRealtimePeriod: 1_000_000 },
    'cpu real-time runtime cannot be higher than cpu real-time period',
  ],
  [
    { BlkioWeight: -5 },
    'invalid JSON: json: cannot unmarshal number -5 into Go struct field .HostConfig.BlkioWeight of type uint16',
  ],
  [
    { BlkioWeight: 70_000 },
    'invalid JSON: json: cannot unmarshal number 70000 into Go struct field .HostConfig.BlkioWeight of type uint16',
  ],
  [
    { BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: -100 }] },
    'invalid JSON: json: cannot unmarshal number -100 into Go struct field .HostConfig.BlkioDeviceReadBps.0.Rate of type uint64',
  ],
  [
    { Sysctls: { 'net.ipv4.conf.eth0.forwarding': '1' } },
    `interface specific sysctl setting "net.ipv4.conf.eth0.forwarding" must be supplied using driver option 'com.docker.network.endpoint.sysctls'`,
  ],
  [{ IpcMode: 'foo' }, 'invalid IPC mode: foo'],
  [{ IpcMode: 'container:nosuch' }, 'No such container: nosuch'],
  [{ PidMode: 'foo' }, 'invalid PID mode: foo'],
  [{ PidMode: 'private' }, 'invalid PID mode: private'],
  [{ PidMode: 'container:' }, 'invalid PID mode: container:'],
  [{ PidMode: 'container:nosuch' }, 'No such container: nosuch'],
  [{ UTSMode: 'foo' }, 'invalid UTS mode: foo'],
  [{ CgroupnsMode: 'foo' }, 'invalid cgroup namespace mode: foo'],
  [{ ShmSize: -1 }, 'SHM size can not be less than 0'],
  [{ OomScoreAdj: 1001 }, 'Invalid value 1001, range for oom score adj is [-1000, 1000]'],
  [{ Runtime: 'nosuch' }, 'unknown or invalid runtime name: nosuch'],
  [{ Isolation: 'hyperv' }, "invalid isolation (hyperv): linux only supports 'default'"],
  [{ CapAdd: ['nosuch'] }, 'invalid CapAdd: unknown capability: "CAP_NOSUCH"'],
  [{ CapDrop: ['nosuch'] }, 'invalid CapDrop: unknown capability: "CAP_NOSUCH"'],
  [
    { CapAdd: ['SYS_RESOURCE'] },
    'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"',
  ],
  [{ SecurityOpt: ['foo'] }, 'invalid --security-opt 1: "foo"'],
  [{ SecurityOpt: ['foo=bar'] }, 'invalid --security-opt 2: "foo=bar"'],
  [{ SecurityOpt: ['no-new-privileges=maybe'] }, 'invalid --security-opt 2: "no-new-privileges=maybe"'],
  [{ SecurityOpt: ['systempaths=unconfined'] }, 'invalid --security-opt 2: "systempaths=unconfined"'],
  [{ Annotations: { '': 'x' } }, 'invalid Annotations: the empty string is not permitted as an annotation key'],
  [{ StorageOpt: { foo: '1G' } }, 'Unknown option foo'],
  [{ StorageOpt: { size: '1G' } }, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"],
];

describe('a create that contradicts itself or this host', () => {
  it.each(refusals)('%j is refused in dockerd’s words', (hostConfig, message) => {
    expect(answerTo(withHost(hostConfig))).toBe(message);
  });

  it.each([
    [
      { Image: 'hello', Hostname: 'x', HostConfig: { UTSMode: 'host' } },
      'conflicting options: hostname and the UTS mode',
    ],
    [{ HostConfig: {} }, 'config cannot be empty in order to create a container'],
    [{ Image: 'hello', Cmd: 5 }, 'invalid JSON: json: cannot unmarshal number into Go value of type string'],
    [
      { Image: 'hello', Env: { A: 'b' } },
      'invalid JSON: json: cannot unmarshal object into Go struct field .Env of type []string',
    ],
    [
      { Image: 'hello', Labels: ['a=b'] },
      'invalid JSON: json: cannot unmarshal array into Go struct field .Labels of type map[string]string',
    ],
    [
      { Image: 'hello', HostConfig: 'x' },
      'invalid JSON: json: cannot unmarshal string into Go struct field .HostConfig of type container.HostConfig',
    ],
    [
      { Image: 'hello', Tty: 'yes' },
      'invalid JSON: json: cannot unmarshal string into Go struct field .Tty of type bool',
    ],
    [{ Image: 'hello', WorkingDir: 'foo' }, "the working directory 'foo' is invalid, it needs to be an absolute path"],
    [{ Image: 'hello', Env: ['=x'] }, 'invalid environment variable: =x'],
  ])('%j is refused in dockerd’s words', (body, message) => {
    expect(answerTo(body)).toBe(message);
  });

  const noWeight = 'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.';
  it.each([
    [{ BlkioWeight: 5 }, [noWeight]],
    [{ BlkioWeight: 500 }, [noWeight]],
    [
      { BlkioWeightDevice: [{ Path: '/dev/vda', Weight: 5 }] },
      ['Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.'],
    ],
    [
      { OomKillDisable: true },
      [
        'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
      ],
    ],
    [{ MemorySwap: -1 }, []],
    [{ PidsLimit: -5 }, []],
    [{ CpuQuota: -7 }, []],
    [{ MemoryReservation: -1 }, []],
    [{ ConsoleSize: [1] }, []],
    [{ SecurityOpt: ['seccomp={}', 'label=type:x', 'apparmor=x', 'seccomp:unconfined'] }, []],
    [{ Foo: 1, CapAdd: ['ALL'], CapDrop: ['all'] }, []],
  ])('%j is taken, with its warnings', (hostConfig, warnings) => {
    expect(answerTo(withHost(hostConfig))).toEqual(warnings);
  });

  it('finds fields in any case, as Go does', () => {
    expect(readCreateBody({ image: 'hello', cmd: ['x'], hostconfig: { memory: 6e7 } }, null, () => null)).toMatchObject(
      {
        imageName: 'hello',
        process: { command: ['x'] },
        resources: { memoryBytes: 6e7 },
      },
    );
  });
});
