import type { Duplex } from 'node:stream';
import type { RootRights } from '../drivers/driver.ts';
import { MachineError } from '../machines.ts';
import { outputOf } from './command.ts';
import type { CommandResult, ExecRequest, ExitStatus, Line, PipeOptions, RunOptions } from './line.ts';
import { shellQuote } from './line.ts';

/**
 * A line whose commands run as root: as they are for a user who is root, else through sudo. A password goes to sudo's input
 * before the command's own, never onto a command line, where every user of the machine could read it. Owns nothing: the
 * line below is closed by its owner.
 */
export function asRoot(line: Line, rights: RootRights): Line {
  return rights.kind === 'root' ? new SharedLine(line) : new SudoLine(line, rights.password);
}

class SharedLine implements Line {
  protected readonly line: Line;

  constructor(line: Line) {
    this.line = line;
  }

  get isOpen(): boolean {
    return this.line.isOpen;
  }

  get closed(): Promise<MachineError> {
    return this.line.closed;
  }

  dialUnix(path: string, signal?: AbortSignal): Promise<Duplex> {
    return this.line.dialUnix(path, signal);
  }

  dialTcp(address: { readonly host: string; readonly port: number }, signal?: AbortSignal): Promise<Duplex> {
    return this.line.dialTcp(address, signal);
  }

  exec(request: ExecRequest): Promise<ExitStatus> {
    return this.line.exec(request);
  }

  run(command: string, options: RunOptions): Promise<CommandResult> {
    return this.line.run(command, options);
  }

  async check(command: string, options: RunOptions): Promise<string> {
    return outputOf(command, await this.run(command, options));
  }

  pipeInto(source: AsyncIterable<Uint8Array>, options: PipeOptions): Promise<number> {
    return this.line.pipeInto(source, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

class SudoLine extends SharedLine {
  readonly #password: string | null;

  constructor(line: Line, password: string | null) {
    super(line);
    this.#password = password;
  }

  override async run(command: string, options: RunOptions): Promise<CommandResult> {
    const input = Buffer.concat([this.#prefix(), Buffer.from(options.input ?? '')]);
    const result = await super.run(this.#wrap(command), { ...options, input });
    this.#explain(result.exitCode, result.stderr);
    return result;
  }

  override async pipeInto(source: AsyncIterable<Uint8Array>, options: PipeOptions): Promise<number> {
    const prefix = this.#prefix();
    const whole = async function* (): AsyncGenerator<Uint8Array> {
      if (prefix.length > 0) yield prefix;
      yield* source;
    };
    const onSent = (sentBytes: number): void => options.onSent?.(Math.max(0, sentBytes - prefix.length));
    const sentBytes = await super.pipeInto(whole(), { ...options, command: this.#wrap(options.command), onSent });
    return sentBytes - prefix.length;
  }

  #prefix(): Buffer {
    return Buffer.from(this.#password === null ? '' : `${this.#password}\n`);
  }

  /** `-k`: a password that sudo remembers would leave ours in the command's input. */
  #wrap(command: string): string {
    const how = this.#password === null ? '-n' : "-k -S -p ''";
    return `sudo ${how} -- /bin/sh -c ${shellQuote(command)}`;
  }

  #explain(exitCode: number, said: string): void {
    if (exitCode === 0) return;
    if (/a password is required|no askpass|terminal is required/.test(said)) {
      throw new MachineError('login-refused', 'sudo asks for a password on that host: give it as SKIFF_SUDO_PASSWORD');
    }
    if (/incorrect password|no password was provided|Sorry, try again/.test(said)) {
      throw new MachineError('login-refused', 'sudo did not take the password of SKIFF_SUDO_PASSWORD');
    }
    if (/is not in the sudoers file|is not allowed to/.test(said)) {
      throw new MachineError('login-refused', `The user may not use sudo on that host: ${said.trim()}`);
    }
    if (/sudo: (command )?not found|sudo: No such file/.test(said)) {
      throw new MachineError('login-refused', 'That host has no sudo: log in as root, or install sudo there');
    }
  }
}
