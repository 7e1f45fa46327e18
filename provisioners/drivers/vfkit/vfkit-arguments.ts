import { createHash } from 'node:crypto';
import { MachineError } from '../../machines.ts';
import type { BootImage } from '../driver.ts';

/** All that decides how vfkit is called; a pure function makes the arguments of it, so that a table can test them. */
export interface VfkitBoot {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly image: Pick<BootImage, 'kernel' | 'initrd' | 'commandLine'>;
  /** Raw images in the order of their names in the guest: vda system, vdb data, vdc seed. */
  readonly disks: readonly string[];
  readonly macAddress: string;
  /** Folders of this computer as devices of the guest, by their tags. */
  readonly shares: ReadonlyMap<string, string>;
  readonly serialLog: string;
  readonly controlSocket: string;
}

export function vfkitArguments(boot: VfkitBoot): string[] {
  const { image } = boot;
  return [
    ['--cpus', String(boot.cpus)],
    ['--memory', String(Math.floor(boot.memoryBytes / 1024 ** 2))],
    // Quotes around the kernel's command line are vfkit's own: it has commas in it.
    [
      '--bootloader',
      `linux,kernel=${plain(image.kernel)},initrd=${plain(image.initrd)},cmdline="${commandLine(image.commandLine)}"`,
    ],
    ...boot.disks.map((disk) => device(`virtio-blk,path=${plain(disk)}`)),
    // One whose name vfkit cannot be given comes over the connection, as all do whose device is not there.
    ...[...boot.shares]
      .filter(([, folder]) => splitting(folder) === null)
      .map(([tag, folder]) => device(`virtio-fs,sharedDir=${folder},mountTag=${tag}`)),
    device(`virtio-net,nat,mac=${boot.macAddress}`),
    device('virtio-rng'),
    device(`virtio-serial,logFilePath=${plain(boot.serialLog)}`),
    ['--restful-uri', `unix://${encodeURI(boot.controlSocket)}`],
  ].flat();
}

const device = (what: string): string[] => ['--device', what];

/** Apple's framework has no other serial port than virtio's. */
function commandLine(text: string): string {
  return text.replace(/\bconsole=\S+/, 'console=hvc0');
}

/** vfkit splits its options at commas and has no way to write one in a path. */
function plain(path: string): string {
  const found = splitting(path);
  if (found === null) return path;
  throw new MachineError(
    'invalid-setting',
    `vfkit cannot be given the path ${path}, which has ${found === ',' ? 'a comma' : 'a quotation mark'} in it. Give Skiff another folder by SKIFF_HOME`,
  );
}

function splitting(path: string): string | null {
  return /[,"]/.exec(path)?.[0] ?? null;
}

/** A machine's network card has the same address for ever, so that it mostly gets the same IP address; locally administered, not a group. */
export function macAddressOf(machineId: string): string {
  const bytes = createHash('sha256').update(machineId).digest().subarray(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
