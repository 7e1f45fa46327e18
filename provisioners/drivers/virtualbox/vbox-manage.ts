import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MachineError } from '../../machines.ts';
import type { MachineErrorCode } from '../../machines.ts';
import type { Computer } from '../vm/find-program.ts';
import { findProgram } from '../vm/find-program.ts';

/**
 * VBoxManage, VirtualBox's command line. It is a client of a server that starts by itself (VBoxSVC) and lets one session at
 * a time change a machine: a command that comes while another's session is closing is refused, and works a moment later.
 */

/** What VBoxManage refused. */
export class VBoxError extends MachineError {
  /** `VBOX_E_OBJECT_NOT_FOUND`; null where it named none. */
  readonly result: string | null;

  constructor(code: MachineErrorCode, message: string, result: string | null) {
    super(code, message);
    this.result = result;
  }
}

export interface VBoxVersion {
  /** `7.0.20`. */
  readonly number: string;
  readonly major: number;
  /** What VBoxManage says before it where VirtualBox's kernel module is not loaded; null when all is well. */
  readonly warning: string | null;
}

export interface VBoxCall {
  readonly signal?: AbortSignal;
  /** Default: a minute. */
  readonly timeoutMs?: number;
}

const usualTimeoutMs = 60_000;
/** How long a machine may stay locked by another's session. */
const lockedMs = 10_000;
const lockedPauseMs = 150;

export class VBoxManage {
  readonly #path: string;
  readonly #environment: Readonly<Record<string, string | undefined>>;

  constructor(path: string, environment: Readonly<Record<string, string | undefined>>) {
    this.#path = path;
    // Its messages are read here; numbers and words must not depend on the user's language.
    this.#environment = { ...environment, LC_ALL: 'C' };
  }

  async version(): Promise<VBoxVersion> {
    const said = await this.run(['--version'], { timeoutMs: 10_000 });
    const found = /^((\d+)\.\d+\.\d+)/m.exec(said);
    if (found?.[1] === undefined)
      throw new MachineError('driver-unavailable', `${this.#path} does not tell its version; is it VirtualBox's?`);
    const warning = /WARNING:\s*(.+)/.exec(said)?.[1]?.trim() ?? null;
    return { number: found[1], major: Number(found[2]), warning };
  }

  /** What it wrote. Throws VBoxError; a machine that is locked is waited for. */
  async run(args: readonly string[], call: VBoxCall = {}): Promise<string> {
    const deadline = performance.now() + lockedMs;
    for (;;) {
      call.signal?.throwIfAborted();
      const { error, stdout, stderr } = await this.#once(args, call);
      if (error === null) return stdout;
      call.signal?.throwIfAborted();
      if (isLocked(stderr) && performance.now() < deadline) {
        await delay(lockedPauseMs, undefined, call.signal === undefined ? {} : { signal: call.signal });
        continue;
      }
      throw explain({ verb: args[0] ?? '', stderr, error });
    }
  }

  #once(
    args: readonly string[],
    call: VBoxCall,
  ): Promise<{ readonly error: Error | null; readonly stdout: string; readonly stderr: string }> {
    const { timeoutMs: timeout = usualTimeoutMs, signal } = call;
    const options = { timeout, signal, windowsHide: true, env: { ...this.#environment }, maxBuffer: 8 * 1024 ** 2 };
    return new Promise((resolve) => {
      execFile(this.#path, [...args], options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
    });
  }
}

function isLocked(stderr: string): boolean {
  return /already locked|while it is locked|being locked or unlocked/.test(stderr);
}

/** What each refusal means to the person who reads it. */
const meanings: readonly (readonly [RegExp, MachineErrorCode, string])[] = [
  [
    /VERR_DISK_FULL|No space left|not enough space/i,
    'no-space',
    'VirtualBox has no room for the disks of this machine',
  ],
  [
    /VERR_VMX_NO_VMX|VERR_SVM_NO_SVM|VERR_VMX_MSR_ALL_VMX_DISABLED|VERR_VMX_MSR_VMXON_DISABLED|VERR_SVM_DISABLED/,
    'driver-unavailable',
    "Virtualisation is switched off on this computer. Switch it on in the computer's firmware (VT-x, AMD-V, SVM)",
  ],
  [
    /VERR_VMX_IN_VMX_ROOT_MODE|VERR_SVM_IN_USE/,
    'driver-unavailable',
    'Another hypervisor (KVM, Hyper-V) has this computer for itself. End its machines, or make this one with --driver qemu',
  ],
  [
    /VERR_VM_DRIVER_NOT_INSTALLED|VERR_VM_DRIVER_NOT_ACCESSIBLE|Kernel driver not (installed|accessible)|vboxdrv/,
    'driver-unavailable',
    "VirtualBox's kernel module is not loaded. Load it with: sudo /sbin/vboxconfig",
  ],
  [
    /VERR_NO_MEMORY|VERR_NO_LOW_MEMORY|out of memory/i,
    'boot-failed',
    'This computer has too little free memory for the machine. Make its memory smaller (--memory) or end other programs',
  ],
  [
    /terminated unexpectedly during startup/,
    'boot-failed',
    "The machine ended as it began to start; its log lies in the machine's folder, below virtualbox. Often VirtualBox's kernel module is not loaded (sudo /sbin/vboxconfig)",
  ],
  [
    /already locked|while it is locked/,
    'busy',
    'Another program (the VirtualBox window?) has the machine open. Close it there',
  ],
];

function explain(failure: { readonly verb: string; readonly stderr: string; readonly error: Error }): VBoxError {
  const { verb, stderr, error } = failure;
  const result = /\b(VBOX_E_\w+|E_[A-Z]+|NS_ERROR_\w+)\b/.exec(stderr)?.[1] ?? null;
  const said = /error: (.+)/.exec(stderr)?.[1]?.trim() ?? (stderr.trim().split('\n')[0] || error.message);
  const meaning = meanings.find(([pattern]) => pattern.test(stderr));
  if (meaning !== undefined) return new VBoxError(meaning[1], `${meaning[2]}. VirtualBox says: ${said}`, result);
  if ('killed' in error && error.killed === true)
    return new VBoxError('timeout', `VBoxManage ${verb} did not end in time and was ended`, result);
  return new VBoxError('internal', `VBoxManage ${verb} was refused: ${said}`, result);
}

/** Null when it is not there. */
export async function findVBoxManage(computer: Computer): Promise<string | null> {
  const { platform, environment } = computer;
  const windowsFolder =
    environment['VBOX_MSI_INSTALL_PATH'] ??
    join(environment['ProgramFiles'] ?? 'C:\\Program Files', 'Oracle', 'VirtualBox');
  const onMac = ['/usr/local/bin', '/Applications/VirtualBox.app/Contents/MacOS'];
  const usual = platform === 'win32' ? [windowsFolder] : platform === 'darwin' ? onMac : [];
  return await findProgram('VBoxManage', { computer, usual });
}

export function virtualboxMissing({ platform }: Computer): string {
  const how =
    platform === 'darwin'
      ? 'brew install --cask virtualbox'
      : platform === 'win32'
        ? 'winget install Oracle.VirtualBox'
        : 'the package virtualbox (7.0 or newer) of your distribution or of virtualbox.org';
  return `VirtualBox (VBoxManage) is not installed. Install it with: ${how}`;
}
