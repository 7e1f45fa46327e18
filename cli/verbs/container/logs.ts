import { messageOf } from '../../../client/errors.ts';
import { flag } from '../../flags/flag.ts';
import { parseMoment } from '../../formats/times.ts';
import { write } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const logs = defineVerb({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Fetch the logs of a container',
  flags: {
    details: flag.switch({ help: 'Show extra details provided to logs' }),
    follow: flag.switch({ short: 'f', help: 'Follow log output' }),
    since: flag.text({ help: 'Show logs since timestamp (e.g. "2026-01-02T13:23:37Z") or relative (e.g. "42m")' }),
    tail: flag.text({ short: 'n', help: 'Number of lines to show from the end of the logs ', standard: '"all"' }),
    timestamps: flag.switch({ short: 't', help: 'Show timestamps' }),
    until: flag.text({ help: 'Show logs before timestamp (e.g. "2026-01-02T13:23:37Z") or relative (e.g. "42m")' }),
  },
  min: 1,
  max: 1,
  offers: ['container'],
  examples: [
    ['-f --tail 20 web', 'The last 20 lines, and what comes'],
    ['--since 10m -t web', 'What was written in the last ten minutes, with times'],
  ],
  async run({ flags, args: [name = ''], context }) {
    const since = moment('since', flags.since, context.nowMs());
    const until = moment('until', flags.until, context.nowMs());
    const { follow, timestamps } = flags;
    const details = flags.details ? { details: true } : {};
    // As docker: what is no number means all.
    const tail = /^\d+$/.test(flags.tail ?? '') ? { tail: Number(flags.tail) } : {};
    using output = await context.engine.containers.logs(name, {
      follow,
      timestamps,
      ...details,
      ...tail,
      ...since,
      ...until,
    });
    for await (const { stream, payload } of output) await write(context[stream], payload);
    return 0;
  },
});

function moment(name: 'since' | 'until', text: string | undefined, nowMs: number): { since?: string; until?: string } {
  if (text === undefined) return {};
  try {
    return { [name]: parseMoment(text, nowMs) };
  } catch (error) {
    throw new CommandError(`invalid value for "${name}": ${messageOf(error)}`, { cause: error });
  }
}
