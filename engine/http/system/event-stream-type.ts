/** In which of the forms of a stream of JSON objects the events come (source: Engine API 1.52 and 1.53, `GET /events`; RFC 9110, "Accept"). */
import { compareApiVersions } from '../../../api/version.ts';

/** Source: RFC 7464: each object has a record separator before it. */
export const jsonSequence = 'application/json-seq';
export const recordSeparator = '\x1e';
const ndjson = 'application/x-ndjson';

const offers: readonly { readonly type: string; readonly since: string }[] = [
  { type: ndjson, since: '1.52' },
  { type: jsonSequence, since: '1.52' },
  { type: 'application/jsonl', since: '1.53' },
];

/** What the client likes best of what there is; who wants none of them gets lines, as ever. Before 1.52 there is no choice. */
export function eventStreamType(version: string, accept: string): string {
  const offered = offers.filter(({ since }) => compareApiVersions(version, since) >= 0).map(({ type }) => type);
  if (offered.length === 0) return 'application/json';
  const wanted = accept
    .split(',')
    .map(preference)
    .toSorted((a, b) => b.weight - a.weight);
  for (const { type, weight } of wanted) {
    if (weight === 0) continue;
    if (offered.includes(type)) return type;
    if (type === '*/*' || type === 'application/*') return ndjson;
  }
  return ndjson;
}

function preference(text: string): { readonly type: string; readonly weight: number } {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  return { type, weight: weight === undefined ? 1 : Number(weight) || 0 };
}
