/**
 * The desktop, put together for those who start it: the machines of this computer, engines dialed at their local sockets,
 * and the core on top. Electron's core process and `npm start` in a browser both begin here.
 *
 *     await using desktop = openDesktop({ version, host: 'browser', capabilities: { tray: false, nativeDialogs: false }, report });
 *     await using server = await startDesktopServer({ services: desktop.services, rendererDir, report });
 *     await desktop.prepare({ settings: {} });
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { unixSocketDialer } from '../client/dial.ts';
import { EngineClient } from '../client/engine-client.ts';
import { Credentials, serverOf } from '../logins/credentials.ts';
import { computerKeychain } from '../logins/keychains.ts';
import { openMachines, type OpenMachines } from '../provisioners/index.ts';
import type { CreateMachine, Machines } from '../provisioners/machines.ts';
import type { Report } from '../provisioners/progress.ts';
import type { AppInfo } from './contract/app.ts';
import { openCore, type Core } from './services/desktop-services.ts';

export interface OpenDesktop {
  readonly version: string;
  readonly host: AppInfo['host'];
  readonly capabilities: AppInfo['capabilities'];
  /** Default `default`. */
  readonly defaultMachine?: string;
  /** Default: those of this computer's user, opened with `provisioning`. */
  readonly machines?: Machines;
  readonly provisioning?: OpenMachines;
  /** Archive of the `hello` image, for engines that do not bring it along. */
  readonly helloArchive?: string;
  readonly report: (fault: Error) => void;
}

export interface Desktop extends Core {
  /** Has the default machine running, whatever that takes; pages show the steps, and `report` is told of them too. */
  prepare(wanted?: Omit<CreateMachine, 'name'>, report?: Report): Promise<void>;
}

export function openDesktop(options: OpenDesktop): Desktop {
  const { version, host, capabilities, defaultMachine = 'default', helloArchive, report } = options;
  const core = openCore({
    info: { version, host, capabilities, defaultMachine, platform: platformOf(process.platform), arch: process.arch },
    machines:
      options.machines ??
      openMachines({ keychain: computerKeychain(process.env, process.platform), ...options.provisioning }),
    dial: ({ dockerSocket }) => new EngineClient(unixSocketDialer(dockerSocket)),
    helloImage: { reference: 'hello', open: helloArchive === undefined ? null : () => openArchive(helloArchive) },
    login: (registry) => new Credentials(process.env, process.platform).get(serverOf(registry)),
    report,
  });
  return {
    ...core,
    prepare: (wanted = { settings: {} }, told) =>
      core.operations.ensureRunning({ ...wanted, name: defaultMachine }, told),
  };
}

async function openArchive(path: string): Promise<{ stream: ReturnType<typeof createReadStream>; sizeBytes: number }> {
  const { size } = await stat(path);
  return { stream: createReadStream(path), sizeBytes: size };
}

function platformOf(platform: NodeJS.Platform): AppInfo['platform'] {
  return platform === 'darwin' || platform === 'win32' || platform === 'linux' ? platform : 'other';
}
