import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineErrorCode } from '../../machines.ts';
import { MachineError } from '../../machines.ts';
import { quietEnvironment } from '../../secrets/quiet-environment.ts';
import type { Computer } from '../vm/find-program.ts';
import { findProgram } from '../vm/find-program.ts';

/**
 * vmrun, the command line of VMware Fusion and Workstation. A machine is named by its vmx file. What it refuses, it says on its standard
 * output: `Error: …`.
 */
export interface VmrunCall {
  readonly signal?: AbortSignal;
  /** Default: a minute. */
  readonly timeoutMs?: number;
}

/** What vmrun refused. */
export class VmrunError extends MachineError {
  /** Without `Error: `. */
  readonly said: string;

  constructor(code: MachineErrorCode, message: string, said: string) {
    super(code, message);
    this.said = said;
  }
}

const usualTimeoutMs = 60_000;
/** The one of Fusion 12 and Workstation 16, whose machines are of the version that Skiff writes (vmx.ts). Older ones have it too. */
const least = { major: 1, minor: 17 } as const;

export class Vmrun {
  readonly #path: string;
  readonly #computer: Computer;

  constructor(path: string, computer: Computer) {
    this.#path = path;
    this.#computer = computer;
  }

  /** Null when Skiff can use it, else why not. Called without a command, it says its version and how it is used. */
  async unfitness(): Promise<string | null> {
    const { stdout } = await this.#once([], { timeoutMs: 10_000 });
    const found = /vmrun version (\d+)\.(\d+)/.exec(stdout);
    if (found === null) return `${this.#path} does not tell its version; is it VMware's?`;
    const [major, minor] = [Number(found[1]), Number(found[2])];
    if (major > least.major || (major === least.major && minor >= least.minor)) return null;
    const wanted = 'VMware Fusion 12 or Workstation 16';
    return `vmrun ${major}.${minor} is too old; Skiff needs ${wanted} or newer. Upgrade it`;
  }

  /** The vmx files of all machines that run, paused ones too, suspended ones not. */
  async running(call: VmrunCall = {}): Promise<readonly string[]> {
    const said = await this.run(['list'], call);
    return said.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('Total running VMs'));
  }

  async isRunning(vmx: string, call: VmrunCall = {}): Promise<boolean> {
    return await this.isAmong(vmx, await this.running(call));
  }

  /** Whether one of `files` is this vmx file. */
  async isAmong(vmx: string, files: readonly string[]): Promise<boolean> {
    const wanted = await this.#comparable(vmx);
    for (const one of files) if ((await this.#comparable(one)) === wanted) return true;
    return false;
  }

  /** What it wrote. Throws VmrunError. */
  async run(command: readonly string[], call: VmrunCall = {}): Promise<string> {
    call.signal?.throwIfAborted();
    const product = this.#computer.platform === 'darwin' ? 'fusion' : 'ws';
    const { error, stdout, stderr } = await this.#once(['-T', product, ...command], call);
    call.signal?.throwIfAborted();
    const said = /^Error: (.+)/m.exec(stdout)?.[1]?.trim() ?? null;
    if (error === null && said === null) return stdout;
    throw explain({ verb: command[0] ?? '', said: said ?? stderr.trim().split('\n')[0] ?? '', error });
  }

  #once(
    args: readonly string[],
    call: VmrunCall,
  ): Promise<{ readonly error: Error | null; readonly stdout: string; readonly stderr: string }> {
    const { timeoutMs: timeout = usualTimeoutMs, signal } = call;
    const options = {
      timeout,
      signal,
      windowsHide: true,
      env: { ...quietEnvironment(this.#computer.environment), LC_ALL: 'C' },
    };
    return new Promise((resolve) => {
      execFile(this.#path, [...args], options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
    });
  }

  /** VMware tells paths as the file system has them: links followed, on some systems in other letters. */
  async #comparable(path: string): Promise<string> {
    const real = await realpath(path).catch(() => path);
    return this.#computer.platform === 'linux' ? real : real.toLowerCase();
  }
}

/** What each refusal means to the person who reads it. */
const meanings: readonly (readonly [RegExp, MachineErrorCode, string])[] = [
  [/no space|disk is full|not enough space/i, 'no-space', 'VMware has no room for the files of this machine'],
  [
    /in use|locked by|failed to lock/i,
    'busy',
    "Another program (VMware's window?) has the machine open. Close it there",
  ],
  [
    /VT-x|AMD-V|virtuali[sz]ation (technology )?is (disabled|not)|nested virtuali[sz]ation|hypervisor/i,
    'driver-unavailable',
    "VMware cannot use this computer's virtualisation: it is switched off in the firmware (VT-x, AMD-V, SVM), or another hypervisor has it",
  ],
  [
    /licen[cs]e|trial|expired|accept/i,
    'driver-unavailable',
    'VMware wants to be asked once in its own window. Start it and answer it',
  ],
  [
    /(not enough|insufficient|too little).*memory/i,
    'boot-failed',
    'This computer has too little free memory for the machine. Make its memory smaller (--memory) or end other programs',
  ],
  [
    /permission/i,
    'driver-unavailable',
    'VMware may not open the files of this machine. On a Mac, allow it to (System Settings, Privacy & Security, Files and Folders)',
  ],
  [
    /service|vmnet|\/dev\/vmmon|not available/i,
    'driver-unavailable',
    "VMware's services or kernel modules do not run. Start them (Linux: sudo vmware-modconfig --console --install-all)",
  ],
];

function explain(failure: { readonly verb: string; readonly said: string; readonly error: Error | null }): VmrunError {
  const { verb, said, error } = failure;
  if (error !== null && 'killed' in error && error.killed === true)
    return new VmrunError('timeout', `vmrun ${verb} did not end in time and was ended`, said);
  const meaning = meanings.find(([pattern]) => pattern.test(said));
  if (meaning !== undefined) return new VmrunError(meaning[1], `${meaning[2]}. VMware says: ${said}`, said);
  return new VmrunError(
    'internal',
    `vmrun ${verb} was refused: ${said || (error?.message ?? 'without a reason')}`,
    said,
  );
}

/** Null when it is not there. */
export async function findVmrun(computer: Computer): Promise<Vmrun | null> {
  const path = await findProgram('vmrun', { computer, usual: usualFolders(computer) });
  return path === null ? null : new Vmrun(path, computer);
}

function usualFolders({ platform, environment }: Computer): readonly string[] {
  switch (platform) {
    case 'darwin':
      return ['/Applications/VMware Fusion.app/Contents/Library', '/Applications/VMware Fusion.app/Contents/Public'];
    case 'win32': {
      const roots = [
        environment['ProgramFiles(x86)'] ?? 'C:\\Program Files (x86)',
        environment['ProgramFiles'] ?? 'C:\\Program Files',
      ];
      return roots.map((root) => join(root, 'VMware', 'VMware Workstation'));
    }
    default:
      return ['/usr/bin', '/usr/local/bin'];
  }
}

export function vmwareMissing({ platform }: Computer): string {
  const what = platform === 'darwin' ? 'VMware Fusion' : 'VMware Workstation Pro';
  return `${what} (vmrun) is not installed. It is free of charge: download it from Broadcom's support portal and install it`;
}
