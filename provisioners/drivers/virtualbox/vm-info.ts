import type { DriverState } from '../driver.ts';
import type { VBoxCall, VBoxManage } from './vbox-manage.ts';
import { VBoxError } from './vbox-manage.ts';

/** What `showvminfo --machinereadable` says of a machine, as far as the driver asks. */
export interface VmInfo {
  /** As VirtualBox calls it: `poweroff`, `running`, `aborted`, … */
  readonly state: string;
  /** Whether the controller of this name is there. */
  readonly controllers: readonly string[];
  /** File of the disk at `<controller>-<port>-<device>`. */
  readonly disks: ReadonlyMap<string, string>;
  /** `/` where it is in none. */
  readonly groups: string;
  /** Names of the forwarded ports. */
  readonly forwardings: readonly string[];
}

/** Lines are `key="value"`, `"key"="value"` or `key=number`; a value may hold anything but the end of the line. */
export function parseVmInfo(text: string): VmInfo {
  let state = '';
  let groups = '/';
  const controllers: string[] = [];
  const forwardings: string[] = [];
  const disks = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const found = /^"?([^"=]+)"?="?(.*?)"?$/.exec(line);
    const [key, value] = [found?.[1], found?.[2]];
    if (key === undefined || value === undefined) continue;
    if (key === 'VMState') state = value;
    else if (key === 'groups') groups = value;
    else if (/^storagecontrollername\d+$/.test(key)) controllers.push(value);
    else if (/^Forwarding\(\d+\)$/.test(key)) forwardings.push(value.split(',', 1)[0] ?? '');
    else if (/^[^-]+-\d+-\d+$/.test(key) && value !== 'none') disks.set(key, unescape(value));
  }
  return { state, groups, controllers, disks, forwardings };
}

/** Backslashes and quotes in values are escaped, as in Windows' paths. */
function unescape(value: string): string {
  return value.replaceAll(/\\(["\\])/g, '$1');
}

/** Null when VirtualBox knows no such machine. */
export async function readVmInfo(vbox: VBoxManage, uuid: string, call: VBoxCall = {}): Promise<VmInfo | null> {
  try {
    return parseVmInfo(await vbox.run(['showvminfo', uuid, '--machinereadable'], call));
  } catch (error) {
    if (error instanceof VBoxError && error.result === 'VBOX_E_OBJECT_NOT_FOUND') return null;
    throw error;
  }
}

export function driverState(info: VmInfo | null): DriverState {
  if (info === null) return 'absent';
  switch (info.state) {
    case 'poweroff':
    case 'aborted':
    case 'teleported':
      return 'stopped';
    case 'saved':
    case 'aborted-saved':
      return 'suspended';
    case 'paused':
      return 'paused';
    default:
      // On its way up or down, or dead with its processor stopped ("gurumeditation"): it holds its disk, and can be ended.
      return 'running';
  }
}
