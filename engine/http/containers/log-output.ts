/** Log records as docker's clients read them. */
import { frameHeader } from '../../../api/framing.ts';
import type { LogRecord } from '../../logs/read-logs.ts';
import { formatInstant } from '../../model/time.ts';

export interface LogOutput {
  readonly isFramed: boolean;
  readonly withTime: boolean;
  readonly withDetails: boolean;
}

/** The bytes of one record. A line in several pieces has time and details before its first one only. */
export function logOutput(record: LogRecord, output: LogOutput): Buffer {
  const { stream, payload } = record;
  const head = record.startsLine ? headOf(record, output) : '';
  if (!output.isFramed) return head === '' ? payload : Buffer.concat([Buffer.from(head), payload]);
  const text = Buffer.from(head);
  return Buffer.concat([frameHeader(stream, text.length + payload.length), text, payload]);
}

function headOf({ time, attributes }: LogRecord, { withTime, withDetails }: LogOutput): string {
  return `${withTime ? `${formatInstant(time)} ` : ''}${withDetails ? `${detailsOf(attributes ?? {})} ` : ''}`;
}

/** `name=value,name=value`, by name. */
function detailsOf(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .join(',');
}

/** As Go's url.QueryEscape does it: clients take them apart with its counterpart. */
function escaped(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
