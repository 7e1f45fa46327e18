import type { ContainerSpec } from './spec.ts';

/** Fields that came after the first release, as containers of that time had them. */
const addedLater = {
  annotations: {},
  restartPolicy: { name: 'no' },
  healthcheck: null,
  volumesFrom: [],
  hasInit: null,
  namespaces: { pid: 'private', ipc: 'private', uts: 'private', cgroup: null, user: 'default' },
  maskedPaths: null,
  readonlyPaths: null,
  devices: [],
  deviceRules: [],
  sysctls: {},
  storageOptions: {},
  runtime: '',
} as const satisfies Partial<ContainerSpec>;

/** A spec as a row holds it. */
export function readStoredSpec(text: string): ContainerSpec {
  return { ...addedLater, ...(JSON.parse(text) as Omit<ContainerSpec, keyof typeof addedLater>) };
}
