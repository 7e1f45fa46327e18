/** Log records as docker's clients read them. */
import { frameHeaderBytes, writeFrameHeader } from '../../../api/framing.ts';
import type { LogRecord } from '../../logs/read-logs.ts';

export interface LogOutput {
  readonly isFramed: boolean;
  readonly withTime: boolean;
  readonly withDetails: boolean;
}

/**
 * The bytes of some records, in one piece: a write for each line costs more than all the rest of a fast log. A line in several
 * pieces has time and details before its first one only.
 */
export function logOutput(records: readonly LogRecord[], output: LogOutput): Buffer {
  const hasHeads = output.withTime || output.withDetails;
  const heads = records.map((record) => (hasHeads && record.startsLine ? Buffer.from(headOf(record, output)) : none));
  const perRecord = output.isFramed ? frameHeaderBytes : 0;
  const size = records.reduce(
    (sum, { payload }, index) => sum + perRecord + (heads[index]?.length ?? 0) + payload.length,
    0,
  );
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  records.forEach(({ stream, payload }, index) => {
    const head = heads[index] ?? none;
    if (output.isFramed) at = writeFrameHeader(bytes, at, { stream, payloadBytes: head.length + payload.length });
    if (head.length > 0) at += head.copy(bytes, at);
    at += payload.copy(bytes, at);
  });
  return bytes;
}

const none = Buffer.alloc(0);

/** Log files leave zeros at the end out, clients expect nine digits. */
function allDigits(timeText: string): string {
  return timeText.replace(/(?:\.(\d{1,9}))?Z$/, (_, digits = '') => `.${String(digits).padEnd(9, '0')}Z`);
}

function headOf({ timeText, attributes }: LogRecord, { withTime, withDetails }: LogOutput): string {
  return `${withTime ? `${allDigits(timeText)} ` : ''}${withDetails ? `${detailsOf(attributes ?? {})} ` : ''}`;
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
