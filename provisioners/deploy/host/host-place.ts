import type { MachineLayout } from '../machine-layout.ts';

/** Where the engine lies on a host that is not ours: a few folders that nobody else uses, and a service of its init system. */
export interface HostPlace {
  readonly layout: MachineLayout;
  /** Scripts that keep the engine running. */
  readonly serviceFolder: string;
  /** Says which machine the engine here belongs to: a second one on the same host is refused. */
  readonly marker: string;
  /** Whether the host's init system starts the engine at boot; `detached`: it runs until the host is shut down. */
  readonly start: 'at-boot' | 'detached';
}

/** The place on every host; `root` is a prefix for tests, which leave the host's init system alone. */
export function hostPlace(root = ''): HostPlace {
  const state = `${root}/var/lib/skiff`;
  const run = `${root}/run/skiff`;
  return {
    layout: {
      deployFolder: `${state}/deploy`,
      systemRuntime: `${state}/runtime`,
      engineSocket: `${run}/skiffd.sock`,
      enginePidFile: `${run}/skiffd.pid`,
      engineLog: `${root}/var/log/skiffd.log`,
      dataRoot: `${state}/engine`,
      execRoot: `${run}/engine`,
      compileCache: `${state}/compile-cache`,
      restart: `${state}/service/engine-restart`,
    },
    serviceFolder: `${state}/service`,
    marker: `${state}/machine`,
    start: root === '' ? 'at-boot' : 'detached',
  };
}
