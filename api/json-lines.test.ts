import { expect, it } from 'vitest';
import { JsonLineDecoder } from './json-lines.ts';

it('finds objects however the stream is cut, with LF or CRLF, also without a last newline', () => {
  const wire = Buffer.from('{"a":"ü"}\r\n\n{"b":[1,\t2]}\n{"c":null}');
  for (let size = 1; size <= wire.length; size++) {
    const decoder = new JsonLineDecoder(JSON.parse);
    const seen: unknown[] = [];
    for (let at = 0; at < wire.length; at += size) seen.push(...decoder.push(wire.subarray(at, at + size)));
    seen.push(...decoder.end());
    expect(seen).toEqual([{ a: 'ü' }, { b: [1, 2] }, { c: null }]);
  }
});
