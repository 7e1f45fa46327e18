import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** vfkit's command line as it reads it (its doc/usage.md): what it does not know or cannot open, it refuses. */
export interface PlayedMachine {
  readonly commandLine: string;
  /** Raw images, first to last. */
  readonly disks: readonly string[];
  readonly macAddress: string;
  readonly serialLog: string | null;
  readonly controlSocket: string;
}

export class Refusal extends Error {}

export function readCommandLine(args: readonly string[]): PlayedMachine {
  const given = new Map<string, string[]>();
  for (let at = 0; at < args.length; at += 2) {
    const [flag = '', value] = [args[at], args[at + 1]];
    if (!['--cpus', '--memory', '--bootloader', '--device', '--restful-uri'].includes(flag))
      throw new Refusal(`Error: unknown flag: ${flag}`);
    if (value === undefined) throw new Refusal(`Error: flag needs an argument: ${flag}`);
    given.set(flag, [...(given.get(flag) ?? []), value]);
  }
  for (const flag of ['--cpus', '--memory']) {
    const value = given.get(flag)?.at(-1) ?? '1';
    if (!/^[1-9]\d*$/.test(value))
      throw new Refusal(`Error: invalid argument "${value}" for "${flag}" flag: strconv.ParseUint: invalid syntax`);
  }
  const devices = (given.get('--device') ?? []).map((text) => readDevice(text));
  const only = (kind: string): ReadonlyMap<string, string> | null =>
    devices.find((device) => device.kind === kind)?.options ?? null;
  const disks = devices.flatMap(({ kind, options }) => (kind === 'virtio-blk' ? [options.get('path') ?? ''] : []));
  for (const disk of disks) if (statSync(disk).size % 512 !== 0) throw invalid(`the disk image ${disk} is not whole`);
  const macAddress = only('virtio-net')?.get('mac') ?? '';
  // The framework takes no group address.
  if (!/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(macAddress)) throw invalid(`invalid MAC address ${macAddress}`);
  const uri = given.get('--restful-uri')?.at(-1) ?? '';
  if (!uri.startsWith('unix:///')) throw new Refusal(`invalid unix uri: ${uri}`);
  return {
    commandLine: readBootloader(given.get('--bootloader')?.at(-1) ?? ''),
    disks,
    macAddress,
    serialLog: only('virtio-serial')?.get('logFilePath') ?? null,
    controlSocket: decodeURI(uri.slice('unix://'.length)),
  };
}

/** The options that each device has; a device takes no others. */
const deviceOptions: ReadonlyMap<string, readonly string[]> = new Map([
  ['virtio-blk', ['path', 'deviceId']],
  ['virtio-net', ['nat', 'mac']],
  ['virtio-rng', []],
  ['virtio-serial', ['logFilePath']],
  ['virtio-fs', ['sharedDir', 'mountTag']],
]);

function readDevice(text: string): { readonly kind: string; readonly options: ReadonlyMap<string, string> } {
  const [kind = '', ...rest] = text.split(',');
  const known = deviceOptions.get(kind);
  if (known === undefined) throw new Refusal(`unknown device type: ${kind}`);
  const options = new Map(rest.map((part): [string, string] => split(part)));
  for (const key of options.keys())
    if (!known.includes(key)) throw new Refusal(`unknown option for ${kind} devices: ${key}`);
  return { kind, options };
}

/** The kernel's command line. */
function readBootloader(text: string): string {
  const parts = text.match(/(?:"[^"]*"|[^,"])+/g) ?? [];
  if (parts[0] !== 'linux') throw new Refusal(`unknown bootloader type: ${parts[0] ?? ''}`);
  const options = new Map(parts.slice(1).map((part): [string, string] => split(part)));
  for (const key of options.keys())
    if (!['kernel', 'initrd', 'cmdline'].includes(key))
      throw new Refusal(`unknown option for linux bootloaders: ${key}`);
  const [kernel = '', initrd = ''] = [options.get('kernel'), options.get('initrd')];
  if (!isUncompressedArmKernel(kernel))
    throw new Refusal(`kernel must be uncompressed, ${kernel} is a compressed file`);
  statSync(initrd);
  return (options.get('cmdline') ?? '').replace(/^"(.*)"$/, '$1');
}

function isUncompressedArmKernel(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const magic = Buffer.alloc(4);
    readSync(file, magic, 0, magic.length, 0x38);
    return magic.toString('latin1') === 'ARMd';
  } finally {
    closeSync(file);
  }
}

const invalid = (why: string): Refusal =>
  new Refusal(`Error Domain=VZErrorDomain Code=2 Description="Invalid virtual machine configuration. ${why}"`);

function split(part: string): [string, string] {
  const at = part.indexOf('=');
  return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
}
