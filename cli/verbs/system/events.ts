import { messageOf } from '../../../client/errors.ts';
import type { EngineEvent } from '../../../api/events.ts';
import { flag } from '../../flags/flag.ts';
import { filterFlag } from '../../flags/filters.ts';
import { parseRowTemplate } from '../../formats/template/template.ts';
import { ExactNumber } from '../../formats/template/values.ts';
import { formatNanos, parseMoment } from '../../formats/times.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const events = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Get real time events from the server',
  flags: {
    filter: filterFlag('Filter output based on conditions provided'),
    format: flag.text({ help: "Format output: 'json', or a Go template" }),
    since: flag.text({ help: 'Show all events created since timestamp' }),
    until: flag.text({ help: 'Stream events until this timestamp' }),
  },
  max: 0,
  examples: [
    ['--filter type=container --filter event=die', 'Containers that end, as they end'],
    ['--since 1h --until 0s', 'What has happened in the last hour'],
  ],
  async run({ flags: { filter, format, since, until }, context }) {
    const render = format === undefined || format === 'json' ? null : parseRowTemplate(format);
    using stream = await context.engine.eventTexts({
      filters: filter,
      ...(since === undefined ? {} : { since: moment(since, context.nowMs()) }),
      ...(until === undefined ? {} : { until: moment(until, context.nowMs()) }),
    });
    for await (const { event, text } of stream) {
      // JSON.parse would round it; it cannot stand in a string, where its quotes would be escaped.
      const nanos = /"timeNano":(\d+)/.exec(text)?.[1] ?? String(event.timeNano);
      const line = render ? render(dataOf(event, nanos)) : format === 'json' ? text : eventLine(event, nanos);
      await writeLines(context.stdout, [line]);
    }
    return 0;
  },
});

/** Go's names beside those of the wire. */
function dataOf(event: EngineEvent, nanos: string): object {
  const { id = '', status = '', from = '' } = event;
  const old = { ID: id || event.Actor.ID, Status: status || event.Action, From: from };
  return { ...event, timeNano: new ExactNumber(nanos), ...old };
}

/** `TIME container start ID (image=hello, name=web)`. */
function eventLine({ Type, Action, Actor, time }: EngineEvent, nanos: string): string {
  const attributes = Object.entries(Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const details = attributes.length > 0 ? ` (${attributes.join(', ')})` : '';
  return `${formatNanos(nanos === '0' ? `${time}000000000` : nanos)} ${Type} ${Action} ${Actor.ID}${details}`;
}

function moment(text: string, nowMs: number): string {
  try {
    return parseMoment(text, nowMs);
  } catch (error) {
    throw new CommandError(messageOf(error), { cause: error });
  }
}
