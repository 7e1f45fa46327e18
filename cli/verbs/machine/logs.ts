import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { flag } from '../../flags/flag.ts';
import { write } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { chosenMachine } from './chosen.ts';

const interrupted = 130;

/** What a machine said: its engine's log by default, which lies in it; its console and its host agent's log lie here. */
export const logs = defineVerb({
  usage: '[OPTIONS] [NAME]',
  summary: 'Show the logs of a machine: of its engine, its console, or its host agent',
  flags: {
    agent: flag.switch({ help: 'Of the host agent on this computer' }),
    console: flag.switch({ help: 'What the machine wrote to its console' }),
    follow: flag.switch({ short: 'f', help: 'Follow the engine’s log' }),
    tail: flag.integer({ short: 'n', help: 'Number of lines from the end (default 200)' }),
  },
  max: 1,
  offers: ['machine'],
  async run({ flags, args: [name], context }) {
    const machines = await context.machines();
    const machine = await chosenMachine(machines, name);
    const lines = flags.tail ?? 200;
    if (flags.agent || flags.console) {
      if (flags.follow) throw new CommandError('--follow is for the log of the engine');
      const file = flags.agent ? machine.agentLogFile : machine.serialLogFile;
      if (file === null) throw new CommandError(`Machine "${machine.name}" has no console`);
      await writeTail(context, file, lines);
      return 0;
    }
    const control = new AbortController();
    using _signals = context.onSignal(['SIGINT', 'SIGTERM'], () => control.abort(new Error('interrupted')));
    const { stdout, stderr } = context;
    try {
      const { exitCode } = await machines.run(machine.name, {
        command: `tail -n ${lines} ${flags.follow ? '-f ' : ''}'${machine.engineLogFile}'`,
        stdin: null,
        stdout,
        stderr,
        terminal: null,
        signal: control.signal,
      });
      return exitCode;
    } catch (error) {
      if (control.signal.aborted) return interrupted;
      throw error;
    }
  },
});

/** A console may have written megabytes; a line is rarely longer than this. */
const lineBytes = 512;

async function writeTail(context: Context, file: string, lines: number): Promise<void> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  // A log that is not there yet has no lines.
  if (size === 0) return;
  let text = '';
  const start = Math.max(0, size - lines * lineBytes);
  for await (const chunk of createReadStream(file, { encoding: 'utf8', start })) text += String(chunk);
  const last = text
    .split('\n')
    .slice(-lines - 1)
    .join('\n');
  await write(context.stdout, last);
}
