/**
 * Shared folders as devices of a running guest (virtio-fs), beside the connection, which they only take contents of files off
 * (engine/shares/device-files.ts). They are plugged in once the guest is up and unplugged before its memory is written out, for QEMU cannot
 * write out a guest that has one; whatever goes wrong with them, the folders stay usable.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MachineError } from '../../machines.ts';
import type { Share } from '../../shares/share.ts';
import { shareDevices } from '../../shares/share.ts';
import type { MachinePaths } from '../../store/home.ts';
import { waitForEnd } from '../../store/process-identity.ts';
import type { Computer } from '../vm/find-program.ts';
import type { VmProcessFiles } from '../vm/vm-process.ts';
import { endVmProcess, findVmProcess, forgetVmProcess, startVmProcess } from '../vm/vm-process.ts';
import { QmpConnection } from './qmp.ts';
import type { Virtiofsd } from './virtiofsd.ts';
import { findVirtiofsd, virtiofsdArguments } from './virtiofsd.ts';

/** Places for devices that a guest is started with; what is shared beyond them comes over the connection. */
export const shareSlots = [0, 1, 2, 3] as const;

type SharePaths = Pick<MachinePaths, 'folder' | 'sockets'>;

const listenTimeoutMs = 5_000;
const unplugTimeoutMs = 10_000;

/** Names of QEMU's parts. */
export const portOf = (slot: number): string => `share${slot}`;
const deviceIdOf = (slot: number): string => `share${slot}-fs`;
const lineOf = (slot: number): string => `share${slot}-line`;

function filesOf({ folder, sockets }: SharePaths, slot: number): VmProcessFiles {
  const name = `share-${slot}`;
  const socket = join(sockets, `${name}.sock`);
  return {
    title: 'virtiofsd',
    folder,
    pidFile: join(folder, `${name}.pid`),
    processFile: join(folder, `${name}.process`),
    logFile: join(folder, `${name}.log`),
    mark: socket,
    socket,
  };
}

/** Plugs in those of `shares` that can be devices, and says, for people, by what way the guest has its folders then. */
export async function offerShares(
  qmpSocket: string,
  options: { readonly shares: readonly Share[]; readonly computer: Computer; readonly paths: SharePaths },
): Promise<string> {
  const { shares, computer, paths } = options;
  try {
    const program = await findVirtiofsd(computer);
    using qmp = await QmpConnection.connect(qmpSocket);
    for (const [slot, [tag, folder]] of [...shareDevices(shares)].slice(0, shareSlots.length).entries())
      await plug(qmp, { program, paths, slot, tag, folder });
    return 'virtiofs';
  } catch (error) {
    return `the connection alone: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function plug(
  qmp: QmpConnection,
  of: {
    readonly program: Virtiofsd;
    readonly paths: SharePaths;
    readonly slot: number;
    readonly tag: string;
    readonly folder: string;
  },
): Promise<void> {
  const { program, paths, slot, tag, folder } = of;
  const files = filesOf(paths, slot);
  await forgetShare(files);
  const socket = files.mark;
  const daemon = await startVmProcess({
    program: program.path,
    arguments: virtiofsdArguments(program.kind, { folder, socket }),
    files,
  });
  try {
    await listening(socket, daemon.ended);
    const address = { type: 'unix', data: { path: socket } };
    const backend = { type: 'socket', data: { addr: address, server: false } };
    await qmp.execute('chardev-add', { arguments: { id: lineOf(slot), backend } });
    const device = { driver: 'vhost-user-fs-pci', id: deviceIdOf(slot), bus: portOf(slot), chardev: lineOf(slot), tag };
    await qmp.execute('device_add', { arguments: device });
  } catch (error) {
    await qmp.execute('chardev-remove', { arguments: { id: lineOf(slot) } }).catch(() => undefined);
    await endVmProcess(daemon.identity);
    await forgetVmProcess(files);
    throw error;
  }
}

async function listening(socket: string, ended: Promise<{ readonly complaint: string }>): Promise<void> {
  let complaint: string | null = null;
  void ended.then((how) => (complaint = how.complaint));
  const deadline = performance.now() + listenTimeoutMs;
  for (;;) {
    if (await isListening(socket)) return;
    if (complaint !== null) throw new MachineError('internal', `virtiofsd: ${complaint || 'it ended'}`);
    if (performance.now() > deadline)
      throw new MachineError('timeout', `virtiofsd does not listen after ${listenTimeoutMs} ms`);
    await delay(10);
  }
}

/** A socket has its file before it listens; and to try it would be the one connection that the former virtiofsd takes (proc_net(5)). */
async function isListening(socket: string): Promise<boolean> {
  const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n');
  return lines.some((line) => line.endsWith(` ${socket}`) && line.split(/\s+/)[3] === '00010000');
}

/** Takes all of them out of a running guest; who uses one then hears that it is gone. */
export async function unplugShares(qmpSocket: string, paths: SharePaths): Promise<void> {
  using qmp = await QmpConnection.connect(qmpSocket);
  for (const slot of shareSlots) {
    const isGone = Promise.withResolvers<undefined>();
    qmp.onEvent((event, { device }) => {
      if (event === 'DEVICE_DELETED' && device === deviceIdOf(slot)) isGone.resolve(undefined);
    });
    try {
      await qmp.execute('device_del', { arguments: { id: deviceIdOf(slot) } });
    } catch (error) {
      if (error instanceof Error && /not found/i.test(error.message)) continue; // there is none in it
      throw error;
    }
    const timer = setTimeout(() => isGone.reject(stuck()), unplugTimeoutMs);
    try {
      await isGone.promise;
    } finally {
      clearTimeout(timer);
    }
    await qmp.execute('chardev-remove', { arguments: { id: lineOf(slot) } });
    await forgetShare(filesOf(paths, slot));
  }
}

/** After QEMU has ended: its virtiofsd do so by themselves, unless it never came to them. */
export async function forgetShares(paths: SharePaths): Promise<void> {
  for (const slot of shareSlots) await forgetShare(filesOf(paths, slot));
}

async function forgetShare(files: VmProcessFiles): Promise<void> {
  const left = await findVmProcess(files);
  if (left !== null && !(await waitForEnd(left, { timeoutMs: 1_000 }))) await endVmProcess(left);
  await forgetVmProcess(files);
  await rm(files.logFile, { force: true });
}

function stuck(): MachineError {
  return new MachineError(
    'timeout',
    'The machine does not let go of its shared folders (virtiofs), with which it cannot be suspended: stop it, or use --qemu-shares sftp',
  );
}
