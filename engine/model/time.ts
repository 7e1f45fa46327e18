/** Moments as nanoseconds since the epoch: Docker's times have nine digits, and a double holds six of them. */
export type Instant = bigint;

/** What Docker prints for something that never happened. */
export const never = '0001-01-01T00:00:00Z';

/** The wall clock with the resolution of the monotonic one; it follows adjustments of the wall clock within a second. */
export function systemClock(): () => Instant {
  let base = 0n;
  let basedAt = 0n;
  return () => {
    const tick = process.hrtime.bigint();
    if (base === 0n || tick - basedAt > 1_000_000_000n) {
      base = BigInt(Date.now()) * 1_000_000n;
      basedAt = tick;
    }
    return base + (tick - basedAt);
  };
}

/** RFC 3339 with nanoseconds, in UTC, without trailing zeros, as Go prints it. */
export function formatInstant(instant: Instant): string {
  const seconds = new Date(Number(instant / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = (instant % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

const rfc3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/** Null when the text is no RFC 3339 time. */
export function parseInstant(text: string): Instant | null {
  const match = rfc3339.exec(text);
  if (match === null) return null;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return null;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** Unix time with an optional fraction, `1700000000.000000001`, as clients send it. Null when it is no such number. */
export function parseUnixTime(text: string): Instant | null {
  const match = /^(-?\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) return null;
  return BigInt(match[1] ?? '0') * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}
