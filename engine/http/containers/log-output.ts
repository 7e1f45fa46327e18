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
export function logOutput({ stream, time, payload, startsLine }: LogRecord, output: LogOutput): Buffer {
  const head = startsLine && output.withTime ? `${formatInstant(time)} ` : '';
  const text = Buffer.from(head);
  if (!output.isFramed) return head === '' ? payload : Buffer.concat([text, payload]);
  return Buffer.concat([frameHeader(stream, text.length + payload.length), text, payload]);
}
