/** A machine's description as VMware reads it: lines `key = "value"`. Pure; what VMware itself added to a file is not kept. */
export interface VmxMachine {
  readonly arch: string;
  /** As VMware's window shows it. */
  readonly displayName: string;
  readonly uuid: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Descriptors, first to last: system, data, seed. */
  readonly disks: readonly string[];
  readonly macAddress: string;
  readonly serialLog: string;
}

export function writeVmx(machine: VmxMachine): string {
  const isArm = machine.arch === 'arm64';
  const values: readonly (readonly [string, string])[] = [
    ['.encoding', 'UTF-8'],
    ['config.version', '8'],
    // Fusion 12 and Workstation 16; machines for ARM since Fusion 13.
    ['virtualHW.version', isArm ? '20' : '18'],
    ['guestOS', isArm ? 'arm-other5xlinux-64' : 'other5xlinux-64'],
    ['firmware', 'efi'],
    ['uefi.secureBoot.enabled', 'FALSE'],
    ['displayName', machine.displayName],
    ['uuid.bios', vmxUuid(machine.uuid)],
    ['uuid.action', 'keep'],
    ['numvcpus', String(machine.cpus)],
    ['cpuid.coresPerSocket', String(machine.cpus)],
    // VMware wants a multiple of 4 MiB.
    ['memsize', String(Math.floor(machine.memoryBytes / 1024 ** 2 / 4) * 4)],
    ...bridges,
    ['nvme0.present', 'TRUE'],
    ...machine.disks.flatMap((disk, at): (readonly [string, string])[] => [
      [`nvme0:${at}.present`, 'TRUE'],
      [`nvme0:${at}.fileName`, disk],
    ]),
    ['ethernet0.present', 'TRUE'],
    ['ethernet0.connectionType', 'nat'],
    ['ethernet0.virtualDev', 'vmxnet3'],
    ['ethernet0.addressType', 'static'],
    ['ethernet0.address', machine.macAddress],
    ['serial0.present', 'TRUE'],
    ['serial0.fileType', 'file'],
    ['serial0.fileName', machine.serialLog],
    ['serial0.yieldOnMsrRead', 'TRUE'],
    ['floppy0.present', 'FALSE'],
    // Nobody sits at a window that could ask.
    ['msg.autoAnswer', 'TRUE'],
    ['answer.msg.serial.file.open', 'Append'],
    ['answer.msg.uuid.altered', 'I Moved It'],
    // The engine sets the clock of machines; VMware has no agent in them to do it.
    ['tools.syncTime', 'FALSE'],
  ];
  return values.map(([key, value]) => `${key} = "${escape(value)}"\n`).join('');
}

/** PCI Express ports, without which there is no NVMe and no vmxnet3. */
const bridges: readonly (readonly [string, string])[] = [
  ['pciBridge0.present', 'TRUE'],
  ...[4, 5, 6, 7].flatMap((number): (readonly [string, string])[] => [
    [`pciBridge${number}.present`, 'TRUE'],
    [`pciBridge${number}.virtualDev`, 'pcieRootPort'],
    [`pciBridge${number}.functions`, '8'],
  ]),
];

/** One value of a vmx file; null when it is not there. */
export function vmxValue(text: string, key: string): string | null {
  const pattern = new RegExp(`^\\s*${key.replaceAll('.', '\\.')}\\s*=\\s*"(.*)"\\s*$`, 'im');
  return pattern.exec(text)?.[1]?.replaceAll(/\|([0-9A-Fa-f]{2})/g, (_, hex: string) => fromHex(hex)) ?? null;
}

/** Whether VMware noted that the machine's memory is on disk. */
export const isSuspended = (text: string): boolean => (vmxValue(text, 'checkpoint.vmState') ?? '') !== '';

/** VMware writes characters that would end a value as a bar and their number. */
function escape(value: string): string {
  return value.replaceAll(
    /["|\r\n]/g,
    (found) => `|${found.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );
}

const fromHex = (hex: string): string => String.fromCharCode(Number.parseInt(hex, 16));

/** `56 4d … -…`: as VMware writes them. */
function vmxUuid(hex: string): string {
  const bytes = hex.match(/../g) ?? [];
  return `${bytes.slice(0, 8).join(' ')}-${bytes.slice(8, 16).join(' ')}`;
}

/** VMware lets nobody choose other addresses than 00:50:56:00:00:00 to 00:50:56:3f:ff:ff. */
export function vmwareMacAddress(machineId: string): string {
  const [first = 0, second = 0, third = 0] = Buffer.from(machineId.slice(0, 6), 'hex');
  const parts = [0x00, 0x50, 0x56, first & 0x3f, second, third];
  return parts.map((part) => part.toString(16).padStart(2, '0')).join(':');
}
