/**
 * Where things lie in a machine, as the machine image lays it out (resources/machine-image/). A parameter of the deployment, so that a
 * machine of another make, and a test, can have its own.
 */
export interface MachineLayout {
  /** Releases, runtimes and the link `current`; on the data disk. */
  readonly deployFolder: string;
  /** Folder with the Node runtime that came with the system: `runtime.json`, `bin/node`. */
  readonly systemRuntime: string;
  readonly engineSocket: string;
  readonly enginePidFile: string;
  readonly engineLog: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Where Node keeps compiled code between starts. */
  readonly compileCache: string;
  /** Command that ends the engine that runs and starts what `current` leads to. */
  readonly restart: string;
}

export const imageLayout: MachineLayout = {
  deployFolder: '/var/lib/skiff/deploy',
  systemRuntime: '/usr/lib/skiff/node',
  engineSocket: '/run/skiff/skiffd.sock',
  enginePidFile: '/run/skiff/skiffd.pid',
  engineLog: '/var/log/skiffd.log',
  dataRoot: '/var/lib/skiff/engine',
  execRoot: '/run/skiff/engine',
  compileCache: '/var/lib/skiff/compile-cache',
  restart: '/usr/lib/skiff/engine-restart',
};
