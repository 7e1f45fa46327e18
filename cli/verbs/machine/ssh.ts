import { rawMode } from '../../terminal/join-container.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { chosenMachine } from './chosen.ts';

/** What a shell shows for a process that a signal ended; ssh itself says 255. */
const interrupted = 130;

export const ssh = defineVerb({
  usage: '[NAME] [COMMAND...]',
  summary: 'Log into a machine, or run a command in it, by SSH; exits with its exit code',
  flags: {},
  stopAt: 'first-argument',
  async run({ args: [name, ...words], context }) {
    const machines = await context.machines();
    const machine = await chosenMachine(machines, name);
    const control = new AbortController();
    using _signals = context.onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], () => control.abort(new Error('interrupted')));
    const { stdin, stdout, stderr } = context;
    const isShell = words.length === 0;
    using _raw = isShell && stdout.isTTY ? rawMode(context) : null;
    try {
      const { exitCode } = await machines.run(machine.name, {
        command: isShell ? null : words.join(' '),
        stdin,
        stdout,
        stderr,
        terminal: isShell && stdin.isTTY && stdout.isTTY ? terminalOf(context) : null,
        signal: control.signal,
      });
      return exitCode;
    } catch (error) {
      if (control.signal.aborted) return interrupted;
      throw error;
    }
  },
});

function terminalOf({ stdout, environment }: Context): { columns: number; rows: number; type: string } | null {
  if (!stdout.isTTY) return null;
  return { columns: stdout.columns, rows: stdout.rows, type: environment['TERM'] ?? 'xterm' };
}
