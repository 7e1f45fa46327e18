/** The `until` and `label` filters of every prune (source: Docker's timetypes.GetTimestamp and its prune filters). */
import { invalid } from './errors.ts';
import { type Filters, labelsMatch } from './filters.ts';
import { type Instant, parseInstant, parseUnixTime } from './time.ts';

/** What was made before this moment may be pruned; null when nothing is said. Throws `invalid` for more than one, and for what is no time. */
export function pruneUntil(filters: Filters, now: Instant): Instant | null {
  const values = filters.get('until') ?? [];
  const [text] = values;
  if (text === undefined) return null;
  if (values.length > 1) throw invalid('more than one until filter specified');
  const duration = parseGoDuration(text);
  const until = duration === null ? (parseUnixTime(text) ?? parseTime(text)) : now - duration;
  if (until === null) throw invalid(`failed to parse value as time or duration: "${text}"`);
  return until;
}

/** Has every label of `label`, and not all of those of `label!`. */
export function passesPruneLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  const unwanted = filters.get('label!') ?? [];
  return labelsMatch(filters.get('label') ?? [], labels) && (unwanted.length === 0 || !labelsMatch(unwanted, labels));
}

const unitNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** `1h30m`, `300ms` -> nanoseconds; null when it is no such text. */
function parseGoDuration(text: string): bigint | null {
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return null;
  let total = 0;
  for (const [, number = '0', unit = 's'] of (match[2] ?? '').matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g))
    total += Number(number) * (unitNs[unit] ?? 0);
  return BigInt(Math.round(match[1] === '-' ? -total : total));
}

/** RFC 3339, or its date alone, or with hours and minutes; without a zone it is the host's. */
function parseTime(text: string): Instant | null {
  if (!/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?(?:Z|[+-]\d{2}:\d{2})?$/.test(text)) return null;
  const exact = parseInstant(text);
  if (exact !== null) return exact;
  const isDateOnly = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const milliseconds = Date.parse(isDateOnly ? `${text}T00:00:00` : text);
  return Number.isNaN(milliseconds) ? null : BigInt(milliseconds) * 1_000_000n;
}
