import { describe, expect, it } from 'vitest';
import { newContainerId } from '../model/ids.ts';
import { allCapabilities, chooseCapabilities, defaultCapabilities } from './capabilities.ts';
import { defaultSecurity, unlimited, type ContainerSettings, type HostFacts } from './container-settings.ts';
import { buildSpec } from './spec.ts';

const controls: HostFacts['controls'] = {
  hasMemory: true,
  hasSwap: true,
  hasSwappiness: false,
  hasOomKillSwitch: false,
  hasPids: true,
  hasCpuShares: true,
  hasCpuQuota: true,
  hasRealtime: false,
  sets: { cpus: '0-1', mems: '0' },
  hasBlkioWeight: true,
  hasBlkioWeightDevice: true,
  hasBlkioRates: true,
  processors: 2,
};

const host: HostFacts = {
  cgroupVersion: 2,
  arch: 'x64',
  kernel: [6, 12],
  capabilities: allCapabilities,
  hasSeccomp: true,
  hasAppArmor: false,
  controls,
  cpuCount: 2,
  maxOpenFiles: 1_048_576,
  devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0, access: 'rwm' }],
};

const settings: ContainerSettings = {
  id: newContainerId(),
  rootfs: '/root',
  isRootReadOnly: false,
  args: ['sh'],
  env: ['PATH=/bin'],
  workingDir: '/',
  user: { uid: 0, gid: 0, additionalGids: [], home: '/root' },
  hostname: 'box',
  domainname: '',
  terminal: null,
  namespaces: { network: { path: '/run/netns/x' }, pid: 'private', ipc: 'private', uts: 'private', cgroup: 'private' },
  sharedMemory: null,
  mounts: [],
  shmSizeBytes: null,
  security: defaultSecurity,
  devices: [],
  deviceRules: [],
  resources: unlimited,
  rlimits: [],
  sysctls: {},
  oomScoreAdjust: null,
  cgroup: '/skiff-e/c',
  annotations: {},
};
const build = (more: Partial<ContainerSettings> = {}, facts: Partial<HostFacts> = {}): ReturnType<typeof buildSpec> =>
  buildSpec({ ...settings, ...more }, { ...host, ...facts });

describe('the OCI spec of a container', () => {
  it('is Docker’s without any option', () => {
    const { linux, ...rest } = build();
    const { seccomp, ...withoutSeccomp } = linux;
    expect({ ...rest, linux: withoutSeccomp }).toMatchSnapshot();
    expect(seccomp).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1 });
  });

  it('gives a user that is not root no capabilities at hand, and nobody inheritable ones', () => {
    const { capabilities } = build({ user: { uid: 1000, gid: 100, additionalGids: [5], home: '/' } }).process;
    expect(capabilities).toEqual({ bounding: build().process.capabilities.bounding, effective: [], permitted: [] });
  });

  it('keeps a privileged container in namespaces of its own, and opens the rest', () => {
    const { process, linux, mounts } = build({ security: { ...defaultSecurity, isPrivileged: true } });
    expect(process.capabilities.bounding).toEqual(allCapabilities);
    expect(linux.namespaces).toEqual(build().linux.namespaces);
    expect([linux.maskedPaths, linux.readonlyPaths, linux.seccomp]).toEqual([[], [], undefined]);
    expect(linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }]);
    expect(linux.devices.map(({ path }) => path)).toEqual(['/dev/fuse']);
    expect(mounts.find(({ destination }) => destination === '/sys/fs/cgroup')?.options).toContain('rw');
  });

  it('mounts parents first, what is given in the place of defaults, read-only with all below it', () => {
    const bind = {
      kind: 'bind',
      source: '/s',
      access: 'read-only-recursive',
      propagation: 'rslave',
      isRecursive: true,
    } as const;
    const given = [
      { ...bind, target: '/a/b' },
      { ...bind, target: '/a' },
      { kind: 'tmpfs', target: '/dev/shm', options: ['size=1m', 'exec'] } as const,
    ];
    const spec = build({ mounts: given });
    expect(spec.mounts.slice(-3)).toEqual([
      { destination: '/a', type: 'bind', source: '/s', options: ['rbind', 'rro', 'rslave'] },
      { destination: '/a/b', type: 'bind', source: '/s', options: ['rbind', 'rro', 'rslave'] },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'nodev', 'size=1m', 'exec'],
      },
    ]);
    expect(spec.mounts.filter(({ destination }) => destination === '/dev/shm')).toHaveLength(1);
    expect(spec.linux.rootfsPropagation).toBe('rslave');
    const old = build({ mounts: given }, { kernel: [5, 10] });
    expect(old.mounts.find(({ destination }) => destination === '/a')?.options).toContain('ro');
  });

  it('limits memory with swap of the same size, processors by quota, and processes', () => {
    const resources = { ...unlimited, memoryBytes: 100, nanoCpus: 1_500_000_000, pidsLimit: 10, blkioWeight: 300 };
    expect(build({ resources }).linux.resources).toMatchObject({
      memory: { limit: 100, swap: 200 },
      cpu: { quota: 150_000, period: 100_000 },
      pids: { limit: 10 },
      blockIO: { weight: 300 },
    });
    expect(build({ resources }, { controls: { ...controls, hasSwap: false } }).linux.resources.memory).toEqual({
      limit: 100,
    });
    expect(build({ resources: { ...unlimited, pidsLimit: -1 } }).linux.resources.pids).toBeUndefined();
    expect(() => build({ resources: { ...resources, cpuQuotaMicros: 5 } })).toThrow('Conflicting options');
  });

  it('takes rlimits in docker’s words, and never more open files than it has itself', () => {
    expect(build({ rlimits: [{ name: 'nofile', soft: 10, hard: 20 }] }).process.rlimits).toEqual([
      { type: 'RLIMIT_NOFILE', soft: 10, hard: 20 },
    ]);
    expect(build({}, { maxOpenFiles: 20_000 }).process.rlimits).toEqual([
      { type: 'RLIMIT_NOFILE', soft: 1024, hard: 20_000 },
    ]);
    expect(() => build({ rlimits: [{ name: 'nosuch', soft: 1, hard: 1 }] })).toThrow(
      'wrong rlimit value: RLIMIT_NOSUCH',
    );
    expect(() => build({ rlimits: [{ name: 'core', soft: 2, hard: 1 }] })).toThrow('soft limit');
  });

  it('shares what it is told to share', () => {
    const spec = build({
      namespaces: { network: 'host', pid: { joined: '/proc/1/ns/pid' }, ipc: 'host', uts: 'host', cgroup: 'host' },
    });
    expect(spec.linux.namespaces).toEqual([{ type: 'mount' }, { type: 'pid', path: '/proc/1/ns/pid' }]);
    expect([spec.hostname, spec.linux.sysctl]).toEqual([undefined, undefined]);
    expect(spec.mounts.find(({ destination }) => destination === '/dev/shm')?.source).toBe('/dev/shm');
  });

  it('reads device rules, and says which one it cannot', () => {
    expect(build({ deviceRules: ['c 42:* rmw'] }).linux.resources.devices.at(-1)).toEqual({
      allow: true,
      type: 'c',
      major: 42,
      access: 'rmw',
    });
    expect(() => build({ deviceRules: ['x'] })).toThrow("invalid device cgroup rule format: 'x'");
  });

  it('gives a terminal its first size', () => {
    expect(build({ terminal: { size: { columns: 80, rows: 24 } } }).process).toMatchObject({
      terminal: true,
      consoleSize: { height: 24, width: 80 },
    });
  });
});

describe('capabilities', () => {
  const choose = (added: readonly string[], dropped: readonly string[]): readonly string[] =>
    chooseCapabilities({ isPrivileged: false, added, dropped, available: allCapabilities });

  it('are 14 by default', () => {
    expect(new Set(choose([], []))).toEqual(new Set(defaultCapabilities));
    expect(defaultCapabilities).toHaveLength(14);
  });

  it('are added and dropped in any order and spelling', () => {
    expect(choose(['chown'], ['ALL'])).toEqual(['CAP_CHOWN']);
    expect(choose(['all'], ['CAP_CHOWN'])).toEqual(allCapabilities.filter((name) => name !== 'CAP_CHOWN'));
    expect(choose(['net_admin'], [])).toContain('CAP_NET_ADMIN');
    expect(() => choose(['nosuch'], [])).toThrow('invalid CapAdd: unknown capability: "CAP_NOSUCH"');
  });
});
