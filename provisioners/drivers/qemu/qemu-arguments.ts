import type { BootProfile } from '../../machine-image/boot-profile.ts';
import type { BootImage } from '../driver.ts';
import type { Accelerator } from './accelerators.ts';
import { portOf, shareSlots } from './share-devices.ts';

/** All that decides how QEMU is called; a pure function makes the arguments of it, so that a table can test them. */
export interface QemuBoot {
  /** What was measured to boot the image fastest and never to hang. */
  readonly profile: BootProfile;
  readonly name: string;
  readonly accelerator: Accelerator;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly image: Omit<BootImage, 'bootableDisk'>;
  readonly dataDisk: { readonly path: string; readonly format: 'raw' | 'qcow2' };
  readonly seed: string;
  /** Port of 127.0.0.1 that leads to the guest's sshd. */
  readonly sshPort: number;
  readonly serialLog: string;
  readonly pidFile: string;
  readonly qmpSocket: string | null;
  /** Whether folders can be plugged in as devices (share-devices.ts). */
  readonly takesShares: boolean;
  /** Whether this computer takes pages back that the guest does not use; QEMU cannot tell Windows so. */
  readonly givesMemoryBack: boolean;
}

/** What the guest's address is in QEMU's user network, as the seed tells it. */
export const guestNetwork = {
  address: '10.0.2.15/24',
  gateway: '10.0.2.2',
  nameserver: '10.0.2.3',
} as const;

export function qemuArguments(boot: QemuBoot): string[] {
  const { accelerator, image, profile } = boot;
  const isEmulated = accelerator.name === 'tcg';
  // QEMU emulates with one thread (boot-profile.ts says why): more processors would only wait for each other, half a second of a boot.
  const cpus = isEmulated ? 1 : boot.cpus;
  const generation = generationDevice(boot);
  const words = [
    image.commandLine,
    ...(isEmulated ? [profile.emulatedCommandLine] : []),
    ...(generation === null ? [] : ['skiff.prepare']),
  ];
  return [
    ['-name', `skiff-${boot.name}`],
    ['-nodefaults', '-no-user-config'],
    ['-display', 'none'],
    // A guest that panics reboots at once (panic=-1); with this QEMU ends instead, and the driver sees it.
    ['-no-reboot'],
    ['-machine', boot.takesShares ? `${profile.machine},memory-backend=memory0` : profile.machine],
    ...(boot.takesShares ? forShares(boot.memoryBytes) : []),
    ['-accel', isEmulated ? `tcg,${profile.emulation}` : accelerator.name],
    ['-cpu', isEmulated ? profile.emulatedCpu : accelerator.cpu],
    ['-smp', `${cpus},sockets=1,cores=${cpus},threads=1`],
    ['-m', wholeMebibytes(boot.memoryBytes)],
    ['-kernel', image.kernel],
    ['-initrd', image.initrd],
    ['-append', words.join(' ')],
    disk({ id: 'system', path: image.systemDisk, format: 'raw', access: 'read-only' }),
    disk({ id: 'data', path: boot.dataDisk.path, format: boot.dataDisk.format, access: 'read-write' }),
    disk({ id: 'seed', path: boot.seed, format: 'raw', access: 'read-only' }),
    // The guest can reach the network that this computer reaches; into the guest leads this one port of 127.0.0.1.
    ['-netdev', `user,id=net0,ipv6=off,hostfwd=tcp:127.0.0.1:${boot.sshPort}-:22`],
    ['-device', 'virtio-net-pci,netdev=net0,romfile='],
    ['-object', 'rng-builtin,id=rng0'],
    ['-device', 'virtio-rng-pci,rng=rng0'],
    // Takes memory away while the guest runs; what the guest frees by itself goes back to this computer too.
    ['-device', `virtio-balloon-pci,free-page-reporting=${boot.givesMemoryBack ? 'on' : 'off'}`],
    ['-chardev', `file,id=serial0,path=${escapeCommas(boot.serialLog)}`],
    ['-serial', 'chardev:serial0'],
    // Where it is told to go on (boot-attempt.ts): QEMU's own input.
    ...(generation === null
      ? []
      : [
          ['-chardev', 'stdio,id=serial1,signal=off'],
          ['-serial', 'chardev:serial1'],
          ['-device', generation],
        ]),
    boot.qmpSocket === null
      ? []
      : [
          '-chardev',
          `socket,id=qmp0,path=${escapeCommas(boot.qmpSocket)},server=on,wait=off`,
          '-mon',
          'chardev=qmp0,mode=control',
        ],
    ['-pidfile', boot.pidFile],
  ].flat();
}

/** Null where a guest does not stand still to be kept: an accelerated boot takes a second, and without a control line nobody could keep it. */
export function generationDevice({ accelerator, profile, qmpSocket }: QemuBoot): string | null {
  return accelerator.name === 'tcg' && qmpSocket !== null ? profile.generationDevice : null;
}

/**
 * Disks are given as JSON, in which a path needs no escaping of QEMU's own. The order of the devices is the order of
 * their names in the guest: vda system, vdb data, vdc seed.
 */
function disk(options: {
  readonly id: string;
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
  readonly access: 'read-only' | 'read-write';
}): string[] {
  const { id, path, format, access } = options;
  const isReadOnly = access === 'read-only';
  const node = {
    'node-name': id,
    driver: format,
    'read-only': isReadOnly,
    // Deleted files of the guest give their space back to this computer.
    ...(isReadOnly ? {} : { discard: 'unmap', 'detect-zeroes': 'unmap' }),
    file: { driver: 'file', filename: path, ...(isReadOnly ? { locking: 'off' } : { discard: 'unmap' }) },
  };
  // Linux reads ahead twice that: programs come in an eighth of the requests, each of which waits for two threads of QEMU.
  const readAhead = isReadOnly ? ',opt_io_size=524288' : '';
  return ['-blockdev', JSON.stringify(node), '-device', `virtio-blk-pci,drive=${id}${readAhead}`];
}

/** Memory that another process may look into, and a place for each device that comes later: q35's own root takes none while it runs. */
function forShares(memoryBytes: number): string[][] {
  return [
    ['-object', `memory-backend-memfd,id=memory0,size=${wholeMebibytes(memoryBytes)},share=on`],
    ...shareSlots.map((slot) => ['-device', `pcie-root-port,id=${portOf(slot)},chassis=${slot + 1},slot=${slot + 1}`]),
  ];
}

function wholeMebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)}M`;
}

/** QEMU's own option syntax: a comma in a value is doubled. */
function escapeCommas(text: string): string {
  return text.replaceAll(',', ',,');
}
