import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { QmpConnection } from '../../../provisioners/drivers/qemu/qmp.ts';
import { bootProfiles } from '../../../provisioners/machine-image/boot-profile.ts';
import { freeLocalPort } from '../../../provisioners/drivers/vm/local-port.ts';

/** EDK II for QEMU, as VirtualBox's EFI firmware is. */
export const emulatedFirmware = '/usr/share/ovmf/OVMF.fd';

/**
 * What runs inside of a played machine when it is to be real: QEMU with the computer that VirtualBox would give it (EFI firmware, an AHCI
 * controller, a virtio card behind NAT). It ends with the process that plays the machine.
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
  }): Promise<void> {
    this.#port = await freeLocalPort(null);
    const { emulatedCpu, emulation, emulatedCommandLine } = bootProfiles.amd64;
    // What QEMU emulates slowly or wrongly is left out by the words that its own driver gives to the kernel (systemd-stub(7) reads them there).
    const words = `io.systemd.stub.kernel-cmdline-extra=${emulatedCommandLine.replaceAll(',', ',,')}`;
    const args = [
      ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ['-machine', 'q35,vmport=off', '-accel', `tcg,${emulation}`, '-cpu', emulatedCpu, '-m', `${computer.memoryMiB}M`],
      ['-bios', emulatedFirmware, '-smbios', `type=11,value=${words}`],
      // Not in VirtualBox's order: the machine must find them by what is on them.
      ...computer.disks.toReversed().flatMap((path, index) => [
        ['-drive', `if=none,id=disk${index},format=raw,file=${path}`],
        ['-device', `ide-hd,drive=disk${index},bus=ide.${index}`],
      ]),
      ['-netdev', `user,id=net0,ipv6=off,hostfwd=tcp:127.0.0.1:${this.#port}-:22`],
      ['-device', 'virtio-net-pci,netdev=net0,romfile='],
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
