import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { Readable as ReadableStream } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { MachineError } from '../../machines.ts';
import type { MachineErrorCode } from '../../machines.ts';
import type { Computer } from '../vm/find-program.ts';

/** wsl.exe, the command line of the Windows Subsystem for Linux. */

/** What wsl.exe refused. */
export class WslError extends MachineError {
  /** The last part of its error code: `WSL_E_DISTRO_NOT_FOUND`; null where it named none. */
  readonly id: string | null;

  constructor(code: MachineErrorCode, message: string, id: string | null) {
    super(code, message);
    this.id = id;
  }
}

export interface WslCall {
  readonly signal?: AbortSignal;
  /** Default: a minute. */
  readonly timeoutMs?: number;
  /** For a command's standard input: bytes, or the path of a file. */
  readonly input?: Buffer | string;
}

/** A distribution that WSL has registered; ours or not. */
export interface Distribution {
  readonly name: string;
  readonly isRunning: boolean;
}

const usualTimeoutMs = 60_000;
/** Time to write or read a disk of many gigabytes. */
const copyMs = 60 * 60_000;

export class Wsl {
  readonly path: string;
  readonly #environment: Computer['environment'];

  constructor(path: string, environment: Computer['environment']) {
    this.path = path;
    this.#environment = environment;
  }

  /** `2.3.26`; null: not installed, or the one that came with Windows 10, which does not know the question. */
  async version(signal: AbortSignal): Promise<string | null> {
    const { exitCode, said } = await this.#execute(['--version'], { signal, timeoutMs: 20_000 });
    return exitCode === 0 ? (/\d+\.\d+\.\d+/.exec(said)?.[0] ?? null) : null;
  }

  /** Tables are in the user's language; lists of names alone are not. Without an entry some versions end with an error. */
  async list(call: WslCall = {}): Promise<readonly Distribution[]> {
    const names = async (...options: readonly string[]): Promise<ReadonlySet<string>> => {
      const outcome = await this.#execute(['--list', '--quiet', ...options], call);
      const id = errorId(outcome.said);
      if (outcome.exitCode !== 0 && id !== null && !/_NOT_FOUND$/.test(id)) throw explain('--list', outcome);
      return new Set(outcome.said.split(/\r?\n/).map((line) => line.trim()));
    };
    const running = await names('--running');
    return [...(await names())].filter((name) => name !== '').map((name) => ({ name, isRunning: running.has(name) }));
  }

  async importArchive(
    name: string,
    from: { readonly folder: string; readonly file: string },
    call: WslCall,
  ): Promise<void> {
    await this.#run(['--import', name, from.folder, from.file, '--version', '2'], { timeoutMs: copyMs, ...call });
  }

  /** From a VHDX disk, which it copies. */
  async importDisk(
    name: string,
    from: { readonly folder: string; readonly file: string },
    call: WslCall,
  ): Promise<void> {
    await this.#run(['--import', name, from.folder, from.file, '--vhd'], { timeoutMs: copyMs, ...call });
  }

  /** Of one that does not run, as a VHDX disk. */
  async exportDisk(name: string, file: string, call: WslCall): Promise<void> {
    await this.#run(['--export', name, file, '--vhd'], { timeoutMs: copyMs, ...call });
  }

  /** Ends all that runs of it. */
  async terminate(name: string, call: WslCall): Promise<void> {
    await this.#run(['--terminate', name], call);
  }

  /** Deletes it with its disk; nothing when it is gone already. */
  async unregister(name: string, call: WslCall): Promise<void> {
    try {
      await this.#run(['--unregister', name], call);
    } catch (error) {
      if (!(error instanceof WslError && error.id === 'WSL_E_DISTRO_NOT_FOUND')) throw error;
    }
  }

  /** Runs a command in it as root. */
  async execute(name: string, command: readonly string[], call: WslCall): Promise<void> {
    await this.#run(commandArguments(name, command), call);
  }

  async #run(args: readonly string[], call: WslCall): Promise<void> {
    const outcome = await this.#execute(args, call);
    if (outcome.exitCode !== 0) throw explain(args[0] ?? '', outcome);
  }

  async #execute(args: readonly string[], call: WslCall): Promise<Outcome> {
    const { signal, timeoutMs = usualTimeoutMs, input } = call;
    signal?.throwIfAborted();
    const deadline = AbortSignal.timeout(timeoutMs);
    const child = spawn(this.path, [...args], {
      env: { ...this.#environment },
      windowsHide: true,
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
    const exited = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code));
    });
    const [said, complained, sent, ended] = await Promise.allSettled([
      buffer(child.stdout),
      buffer(child.stderr),
      send(input, child.stdin),
      exited,
    ]);
    signal?.throwIfAborted();
    if (deadline.aborted)
      throw new MachineError('timeout', `wsl.exe ${args[0] ?? ''} did not end within ${timeoutMs / 1000} s`);
    if (ended.status === 'rejected') throw unusable(ended.reason);
    const texts = [said, complained].flatMap((part) => (part.status === 'fulfilled' ? [decode(part.value)] : []));
    // How the command ended tells more than the pipe that it broke.
    if (ended.value === 0 && sent.status === 'rejected') throw unusable(sent.reason);
    return { exitCode: ended.value, said: texts.join('\n') };
  }
}

interface Outcome {
  readonly exitCode: number | null;
  readonly said: string;
}

export function commandArguments(name: string, command: readonly string[]): readonly string[] {
  return ['--distribution', name, '--user', 'root', '--cd', '/', '--exec', ...command];
}

async function send(input: Buffer | string | undefined, stdin: NodeJS.WritableStream): Promise<void> {
  if (input === undefined) {
    stdin.end();
    return;
  }
  const from: Readable = typeof input === 'string' ? createReadStream(input) : ReadableStream.from([input]);
  await pipeline(from, stdin);
}

/** wsl.exe itself writes UTF-16, a command in a distribution whatever it likes, which is UTF-8. */
function decode(bytes: Buffer): string {
  return bytes.subarray(0, 200).some((byte, at) => at % 2 === 1 && byte === 0)
    ? bytes.toString('utf16le')
    : bytes.toString('utf8');
}

function unusable(reason: unknown): MachineError {
  const why = reason instanceof Error ? reason.message : String(reason);
  return new MachineError('driver-unavailable', `wsl.exe cannot be used: ${why}`, { cause: reason });
}

function errorId(said: string): string | null {
  return /\bWsl\/(?:\w+\/)*(\w+)/.exec(said)?.[1] ?? null;
}

/** What refusals mean to the person who reads them: by codes, which no language changes. */
const meanings: readonly (readonly [RegExp, MachineErrorCode, string])[] = [
  [
    /HCS_E_HYPERV_NOT_INSTALLED|HCS_E_SERVICE_NOT_AVAILABLE|0x80370102|WSL_E_VIRTUAL_MACHINE_PLATFORM_REQUIRED/,
    'driver-unavailable',
    "WSL2 cannot run here. Switch on virtualisation (VT-x, AMD-V, SVM) in the computer's firmware, and the feature of Windows with: wsl --install --no-distribution",
  ],
  [/WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED|REGDB_E_CLASSNOTREG/, 'driver-unavailable', wslMissing()],
  [/ERROR_DISK_FULL|ERROR_HANDLE_DISK_FULL|0x80070070/, 'no-space', 'The disk of this computer is full'],
  [
    /ERROR_NOT_ENOUGH_MEMORY|E_OUTOFMEMORY|0x8007000e/i,
    'boot-failed',
    'This computer has too little free memory for WSL2',
  ],
];

function explain(verb: string, { said, exitCode }: Outcome): WslError {
  const id = errorId(said);
  const words = said.trim().replaceAll(/\s*\r?\n\s*/g, ' ') || `it ended with code ${exitCode ?? 'none'}`;
  const meaning = meanings.find(([pattern]) => pattern.test(said));
  return meaning === undefined
    ? new WslError('internal', `wsl.exe ${verb} was refused: ${words}`, id)
    : new WslError(meaning[1], `${meaning[2]}. wsl.exe says: ${words}`, id);
}

export function wslMissing(): string {
  return 'WSL is not installed, or older than 1.0. Install it with: wsl --install --no-distribution (or: wsl --update), then restart Windows';
}
