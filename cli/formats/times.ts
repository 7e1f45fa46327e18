/** How long, roughly, as docker says it: `Less than a second`, `About a minute`, `3 weeks`. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(durationMs / 3_600_000 + 0.5);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(durationMs / 3_600_000 / 24 / 365)} years`;
}

/** `2026-11-21 09:58:56 +0000 UTC`, as docker's CreatedAt; in the local zone with its offset. */
export function formatMoment(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  return `${day} ${time} ${zone} ${offset === 0 ? 'UTC' : zoneName(date)}`;
}

function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

const durationUnits: Readonly<Record<string, number>> = {
  h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, 'µs': 1e-6, ns: 1e-9,
}; // prettier-ignore

/** Seconds of a duration in Go's notation: `1h30m`, `1.5s`, `-10m`. Null when it is none. */
export function parseDuration(text: string): number | null {
  const [, sign, body = ''] = /^([-+]?)((?:\d+(?:\.\d*)?(?:h|ms|us|µs|ns|m|s))+)$/.exec(text) ?? [];
  if (sign === undefined) return text === '0' ? 0 : null;
  let seconds = 0;
  for (const [, digits, unit] of body.matchAll(/(\d+(?:\.\d*)?)(h|ms|us|µs|ns|m|s)/g)) {
    seconds += Number(digits) * (durationUnits[unit ?? ''] ?? 0);
  }
  return sign === '-' ? -seconds : seconds;
}

/**
 * A moment as `--since` and `--until` take it, as unix seconds with up to nine digits of fraction: `42m` (before now),
 * `1700000000.5`, `2026-01-02`, `2026-01-02T15:04`, `2026-01-02T15:04:05.123456789Z`; without a zone it is local.
 * Throws RangeError.
 */
export function parseMoment(text: string, nowMs: number): string {
  if (/^\d+(?:\.\d{1,9})?$/.test(text)) return text;
  const seconds = parseDuration(text);
  if (seconds !== null) return (nowMs / 1000 - seconds).toFixed(9);
  const pattern = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d))?(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[-+]\d\d:\d\d)?$/;
  const [, day, hour = '00', minute = '00', second = '00', fraction, zone = ''] = pattern.exec(text) ?? [];
  const wholeMs = day === undefined ? NaN : Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
  if (Number.isNaN(wholeMs)) throw new RangeError(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return `${wholeMs / 1000}${fraction === undefined ? '' : `.${fraction.padEnd(9, '0')}`}`;
}

/** Unix nanoseconds as `2026-11-21T12:44:54.438178476Z`, in the local zone with its offset. */
export function formatNanos(nanos: string): string {
  const seconds = nanos.slice(0, -9) || '0';
  const date = new Date(Number(seconds) * 1000);
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const two = (value: number): string => String(value).padStart(2, '0');
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${local}.${nanos.slice(-9).padStart(9, '0')}${offset === 0 ? 'Z' : zone}`;
}

/** `2026-11-21T12:18:26.4240Z` as Go prints a time: `2026-11-21 12:18:26.424 +0000 UTC`, in the zone that it has. */
export function formatStamp(stamp: string): string {
  const [, day, time, fraction = '', zone = 'Z'] = /^([\d-]+)T([\d:]+)(\.\d+)?(.*)$/.exec(stamp) ?? [];
  if (day === undefined || time === undefined) return stamp;
  const offset = zone === 'Z' ? '+0000' : zone.replace(':', '');
  return `${day} ${time}${fraction.replace(/\.?0+$/, '')} ${offset} ${zone === 'Z' || offset === '+0000' ? 'UTC' : offset}`;
}
