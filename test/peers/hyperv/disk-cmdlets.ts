import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, truncateSync } from 'node:fs';
import type { PlayedHost } from './host.ts';
import { tell } from './tell.ts';
import { bind } from './parameters.ts';
import { Refusal } from './refusal.ts';
import type { Cmdlet } from './cmdlet.ts';

/** Cmdlets about disk files. They are real VHDX files, read and written by QEMU's tool. */

export const diskCmdlets: Readonly<Record<string, Cmdlet>> = {
  'Get-VHD': (_host, values) => {
    const path = known(bind(values, { Path: 'text' }).text('Path'));
    return [{ Path: path, VhdFormat: 'VHDX', Size: sizeOf(path) }];
  },

  'Resize-VHD': async (host, values) => {
    const given = bind(values, { Path: 'text', SizeBytes: 'integer' });
    const [path, sizeBytes] = [known(given.text('Path')), given.integer('SizeBytes')];
    if (sizeBytes < sizeOf(path))
      throw new Refusal('InvalidParameter', `The disk '${path}' cannot be made smaller than what is in it.`);
    const raw = `${path}.resize`;
    vhdxToRaw(path, raw);
    truncateSync(raw, sizeBytes);
    rawToVhdx(raw, path);
    rmSync(raw);
    const user = host.vms().find(({ disks, pid }) => pid !== null && disks.some((disk) => disk.path === path));
    if (user !== undefined) await tell(host, user, `resized ${sizeBytes}`);
    return [];
  },

  'Convert-VHD': (host, values) => {
    const given = bind(values, { Path: 'text', DestinationPath: 'text', VHDType: 'text' });
    const [from, to] = [known(given.text('Path')), given.text('DestinationPath')];
    if (given.text('VHDType') !== 'Dynamic')
      throw new Refusal('InvalidParameter', 'The played Hyper-V makes dynamic disks alone.');
    if (existsSync(to)) throw new Refusal('OperationFailed', `The file '${to}' exists. (0x80070050)`);
    if (isInUse(host, from))
      throw new Refusal(
        'OperationFailed',
        `The process cannot access the file because it is being used by another process. (0x80070020)`,
      );
    execFileSync('qemu-img', ['convert', '-f', 'vhdx', '-O', 'vhdx', from, to]);
    return [];
  },
};

export function isInUse(host: PlayedHost, path: string): boolean {
  return host.vms().some(({ disks, pid }) => pid !== null && disks.some((disk) => disk.path === path));
}

export function vhdxToRaw(path: string, raw: string): void {
  execFileSync('qemu-img', ['convert', '-f', 'vhdx', '-O', 'raw', path, raw]);
}

/** The file stays the same one: who puts another in its place has to attach it anew. */
export function rawToVhdx(raw: string, path: string): void {
  const made = `${path}.made`;
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'vhdx', '-o', 'block_size=1048576', raw, made]);
  execFileSync('cp', ['--sparse=always', '--', made, path]);
  rmSync(made);
}

function sizeOf(path: string): number {
  const said = execFileSync('qemu-img', ['info', '--output=json', '--force-share', path], { encoding: 'utf8' });
  return Number(/"virtual-size": (\d+)/.exec(said)?.[1]);
}

function known(path: string): string {
  if (existsSync(path)) return path;
  throw new Refusal('ObjectNotFound', `The system cannot find the file '${path}'. (0x80070002)`);
}
