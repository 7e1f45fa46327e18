/**
 * Times as people say them. Everything takes the present moment as an argument, so that one clock drives the whole page
 * and tests need none.
 */
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** How long something has been going on: `0.4 s`, `12 s`, `3:07 min`, `1:04:09 h`. Negative spans read as zero. */
export function elapsed(spanMs: number): string {
  const span = Math.max(0, spanMs);
  if (span < 10 * second) return `${(Math.floor(span / 100) / 10).toFixed(1)} s`;
  if (span < minute) return `${Math.floor(span / second)} s`;
  const seconds = two(Math.floor((span % minute) / second));
  if (span < hour) return `${Math.floor(span / minute)}:${seconds} min`;
  return `${Math.floor(span / hour)}:${two(Math.floor((span % hour) / minute))}:${seconds} h`;
}

/** The same without fractions of a second, for spans that change while they are read: `7 s`, `3:07 min`. */
export function elapsedWhole(spanMs: number): string {
  const span = Math.max(0, spanMs);
  return span < minute ? `${Math.floor(span / second)} s` : elapsed(span);
}

/** A span in its largest unit, for lists: `40 s`, `3 min`, `2 h`, `5 days`. */
export function span(spanMs: number): string {
  const ms = Math.max(0, spanMs);
  if (ms < minute) return `${Math.floor(ms / second)} s`;
  if (ms < hour) return `${Math.floor(ms / minute)} min`;
  if (ms < day) return `${Math.floor(ms / hour)} h`;
  const days = Math.floor(ms / day);
  return days === 1 ? '1 day' : `${days} days`;
}

/** How long ago something happened: `just now`, `5 min ago`, `3 h ago`, `2 days ago`; an ISO date past a month. */
export function ago(thenMs: number, nowMs: number): string {
  if (!Number.isFinite(thenMs)) return '–';
  const span = nowMs - thenMs;
  // Clocks of a machine and of this computer differ by a little; the future is the present then.
  if (span < 10 * second) return 'just now';
  if (span < minute) return `${Math.floor(span / second)} s ago`;
  if (span < hour) return `${Math.floor(span / minute)} min ago`;
  if (span < day) return `${Math.floor(span / hour)} h ago`;
  const days = Math.floor(span / day);
  if (days <= 30) return days === 1 ? 'yesterday' : `${days} days ago`;
  return new Date(thenMs).toISOString().slice(0, 10);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
