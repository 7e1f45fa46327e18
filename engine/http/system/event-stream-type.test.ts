import { expect, it } from 'vitest';
import { eventStreamType } from './event-stream-type.ts';

it.each([
  ['1.51', 'application/json-seq', 'application/json'],
  ['1.52', '', 'application/x-ndjson'],
  ['1.52', '*/*', 'application/x-ndjson'],
  ['1.52', 'application/json-seq', 'application/json-seq'],
  ['1.52', 'application/jsonl', 'application/x-ndjson'],
  ['1.53', 'application/jsonl', 'application/jsonl'],
  ['1.55', 'application/jsonl;q=0.5, application/json-seq', 'application/json-seq'],
  ['1.55', 'application/json-seq;q=0, application/jsonl;q=0.1', 'application/jsonl'],
  ['1.55', 'text/html', 'application/x-ndjson'],
])('a client of %s that accepts "%s" gets %s', (version, accept, type) => {
  expect(eventStreamType(version, accept)).toBe(type);
});
