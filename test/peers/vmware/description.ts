import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** A machine as VMware reads it from its vmx file and its disks' descriptors; what it would not start, it refuses. */
export interface PlayedDescription {
  readonly systemDisk: string;
  readonly dataDisk: string;
  readonly seed: string;
  readonly macAddress: string;
  readonly memoryMiB: string;
  readonly serialLog: string | null;
}

export class Refusal extends Error {}

export function readValues(vmx: string): ReadonlyMap<string, string> {
  if (!existsSync(vmx)) throw new Refusal('The virtual machine cannot be found');
  const values = new Map<string, string>();
  for (const line of readFileSync(vmx, 'utf8').split(/\r?\n/)) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, key, value] = /^\s*([\w.:]+)\s*=\s*"([^"]*)"\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined)
      throw new Refusal(`Cannot open VM: ${vmx}, Cannot read the virtual machine configuration file`);
    values.set(key.toLowerCase(), unescape(value));
  }
  return values;
}

export function readDescription(vmx: string): PlayedDescription {
  const values = readValues(vmx);
  const need = (key: string, pattern: RegExp): string => {
    const value = values.get(key.toLowerCase()) ?? '';
    if (!pattern.test(value)) throw new Refusal(`Invalid value for configuration key ${key}: "${value}"`);
    return value;
  };
  need('config.version', /^8$/);
  need('virtualHW.version', /^(1[89]|2\d)$/);
  need('guestOS', /^(arm-)?other5xlinux-64$/);
  need('firmware', /^efi$/);
  need('numvcpus', /^[1-9]\d*$/);
  const memoryMiB = need('memsize', /^[1-9]\d*$/);
  if (Number(memoryMiB) % 4 !== 0) throw new Refusal('The memory size is not a multiple of 4 MB');
  // Without PCI Express ports there is no place for NVMe and vmxnet3.
  need('pciBridge4.virtualDev', /^pcieRootPort$/);
  need('nvme0.present', /^TRUE$/);
  need('ethernet0.present', /^TRUE$/);
  need('ethernet0.connectionType', /^nat$/);
  need('ethernet0.virtualDev', /^vmxnet3$/);
  need('ethernet0.addressType', /^static$/);
  const disks = [0, 1, 2].map((at) => readDisk(vmx, need(`nvme0:${at}.fileName`, /./)));
  const [systemDisk = '', dataDisk = '', seed = ''] = disks;
  return {
    systemDisk,
    dataDisk,
    seed,
    memoryMiB,
    // VMware lets nobody choose other addresses.
    macAddress: need('ethernet0.address', /^00:50:56:[0-3][0-9a-f](:[0-9a-f]{2}){2}$/),
    serialLog: values.get('serial0.filename') ?? null,
  };
}

/** The raw file that a descriptor names; it must be as large as the descriptor says. */
function readDisk(vmx: string, fileName: string): string {
  const descriptor = resolve(dirname(vmx), fileName);
  if (!existsSync(descriptor))
    throw new Refusal(`The system cannot find the file specified. Cannot open the disk '${descriptor}'`);
  const text = readFileSync(descriptor, 'utf8');
  const extent = /^RW (\d+) FLAT "([^"]+)" 0$/m.exec(text);
  if (!text.startsWith('# Disk DescriptorFile') || !/^createType="monolithicFlat"$/m.test(text) || extent === null)
    throw new Refusal(`The file specified is not a virtual disk. Cannot open the disk '${descriptor}'`);
  const raw = resolve(dirname(descriptor), extent[2] ?? '');
  if (!existsSync(raw) || statSync(raw).size !== Number(extent[1]) * 512)
    throw new Refusal(`The specified virtual disk needs repair. Cannot open the disk '${descriptor}'`);
  return raw;
}

export function hasBootSector(disk: string): boolean {
  const file = openSync(disk, 'r');
  try {
    const sign = Buffer.alloc(2);
    readSync(file, sign, 0, 2, 510);
    return sign.readUInt16BE() === 0x55aa;
  } finally {
    closeSync(file);
  }
}

function unescape(value: string): string {
  return value.replaceAll(/\|([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
