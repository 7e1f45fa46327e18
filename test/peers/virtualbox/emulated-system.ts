import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { QmpConnection } from '../../../provisioners/drivers/qemu/qmp.ts';
import { bootProfiles } from '../../../provisioners/machine-image/boot-profile.ts';
import { freeLocalPort } from '../../../provisioners/drivers/vm/local-port.ts';

/** EDK II for QEMU, as VirtualBox's and VMware's EFI firmwares are. */
export const emulatedFirmware = '/usr/share/ovmf/OVMF.fd';

export type EmulatedHardware = keyof typeof hardwareOf;

const hardwareOf = {
  virtualbox: { controller: [], disk: (index: number) => `ide-hd,bus=ide.${index}`, card: 'virtio-net-pci' },
  vmware: {
    controller: ['-device', 'nvme,serial=nvme0,id=nvme0'],
    disk: (index: number) => `nvme-ns,bus=nvme0,nsid=${index + 1}`,
    card: 'vmxnet3',
  },
} as const;

/**
 * What runs inside of a played machine when it is to be real: QEMU with the computer that the hypervisor would give it: EFI firmware, disks, a
 * card behind NAT. It ends with the process that plays the machine.
 */
export class EmulatedSystem {
  readonly #qmp: string;
  #qemu: ChildProcess | null = null;
  #port = 0;

  constructor(options: { readonly qmpSocket: string }) {
    this.#qmp = options.qmpSocket;
  }

  get port(): number {
    return this.#port;
  }

  get isUp(): boolean {
    return this.#qemu !== null;
  }

  async boot(computer: {
    readonly disks: readonly string[];
    readonly memoryMiB: string;
    readonly serialLog: string;
    readonly ended: () => void;
    /** Default: VirtualBox's. */
    readonly hardware?: EmulatedHardware;
    /** Where its SSH is reached; default: a free port of 127.0.0.1. */
    readonly listen?: { readonly host: string; readonly port: number };
  }): Promise<void> {
    this.#port = computer.listen?.port ?? (await freeLocalPort(null));
    const host = computer.listen?.host ?? '127.0.0.1';
    const { controller, disk, card } = hardwareOf[computer.hardware ?? 'virtualbox'];
    const { emulatedCpu, emulation, emulatedCommandLine } = bootProfiles.amd64;
    // What QEMU emulates slowly or wrongly is left out by the words that its own driver gives to the kernel (systemd-stub(7) reads them there).
    const words = `io.systemd.stub.kernel-cmdline-extra=${emulatedCommandLine.replaceAll(',', ',,')}`;
    const args = [
      ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ['-machine', 'q35,vmport=off', '-accel', `tcg,${emulation}`, '-cpu', emulatedCpu, '-m', `${computer.memoryMiB}M`],
      ['-bios', emulatedFirmware, '-smbios', `type=11,value=${words}`],
      controller,
      // Not in the hypervisor's order: the machine must find them by what is on them.
      ...computer.disks.toReversed().flatMap((path, index) => [
        ['-drive', `if=none,id=disk${index},format=raw,file=${path}`],
        ['-device', `${disk(index)},drive=disk${index}`],
      ]),
      ['-netdev', `user,id=net0,ipv6=off,hostfwd=tcp:${host}:${this.#port}-:22`],
      ['-device', `${card},netdev=net0,romfile=`],
      ['-chardev', `file,id=serial0,append=on,path=${computer.serialLog}`, '-serial', 'chardev:serial0'],
      ['-qmp', `unix:${this.#qmp},server=on,wait=off`],
    ].flat();
    this.#qemu = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], { stdio: 'inherit' });
    this.#qemu.once('exit', () => computer.ended());
  }

  standStill(): void {
    this.#qemu?.kill('SIGSTOP');
  }

  goOn(): void {
    this.#qemu?.kill('SIGCONT');
  }

  async powerButton(): Promise<void> {
    using qmp = await QmpConnection.connect(this.#qmp);
    await qmp.execute('system_powerdown');
  }

  end(): void {
    this.#qemu?.kill('SIGKILL');
  }
}
