import type { ContainerSpec, EndpointSpec, NetworkSpec, ProcessSpec, ResourceSpec } from './spec.ts';

/** Fields that came after the first release, as containers of that time had them. */
const addedLater = {
  annotations: {},
  restartPolicy: { name: 'no' },
  healthcheck: null,
  shell: null,
  volumesFrom: [],
  declaredVolumes: [],
  hasInit: null,
  namespaces: { pid: 'private', ipc: 'private', uts: 'private', cgroup: null, user: 'default' },
  maskedPaths: null,
  readonlyPaths: null,
  devices: [],
  deviceRules: [],
  deviceRequests: [],
  sysctls: {},
  storageOptions: {},
  runtime: '',
} as const satisfies Partial<ContainerSpec>;

const ofProcess = { addedGroups: [], oomScoreAdjust: null, ulimits: [] } as const satisfies Partial<ProcessSpec>;

const ofNetwork = { isDisabled: false } as const satisfies Partial<NetworkSpec>;

const ofEndpoint = { networkId: null } as const satisfies Partial<EndpointSpec>;

const ofResources = {
  memoryReservationBytes: null,
  memorySwappiness: null,
  isOomKillDisabled: null,
  cpuRealtimePeriodUs: null,
  cpuRealtimeRuntimeUs: null,
  cpusetMems: null,
  blkioWeight: null,
  blkioWeightDevices: [],
  blkioReadBps: [],
  blkioWriteBps: [],
  blkioReadIops: [],
  blkioWriteIops: [],
  cgroupParent: '',
} as const satisfies Partial<ResourceSpec>;

/** A spec as a row holds it. */
export function readStoredSpec(text: string): ContainerSpec {
  const stored = { ...addedLater, ...(JSON.parse(text) as Omit<ContainerSpec, keyof typeof addedLater>) };
  return {
    ...stored,
    network: {
      ...ofNetwork,
      ...stored.network,
      endpoints: stored.network.endpoints.map((endpoint) => ({ ...ofEndpoint, ...endpoint })),
    },
    process: { ...ofProcess, ...stored.process },
    resources: { ...ofResources, ...stored.resources },
  };
}
