/** The part of a file that a request asks for (source: RFC 9110, section 14). Both ends are inside. */
export type ByteRange =
  | { readonly kind: 'all' }
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  /** Nothing of the file lies there: 416. */
  | { readonly kind: 'none' };

/** Several ranges, other units and what is none are passed over, as a server may: the whole file is the answer. */
export function byteRange(header: string | undefined, sizeBytes: number): ByteRange {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (match === null || (from === '' && to === '')) return { kind: 'all' };
  if (from === '') {
    const length = Math.min(Number(to), sizeBytes);
    return length === 0 ? { kind: 'none' } : { kind: 'part', first: sizeBytes - length, last: sizeBytes - 1 };
  }
  const first = Number(from);
  const last = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  if (to !== '' && Number(to) < first) return { kind: 'all' };
  return first >= sizeBytes ? { kind: 'none' } : { kind: 'part', first, last };
}
