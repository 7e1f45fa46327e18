import { expect, it } from 'vitest';
import { compactJson, indentJson } from './json-text.ts';

const text =
  '{"a":[1,2.50,{"b":"x, {y}: \\"z\\" \\u003c"}],"empty":{},"none":[],"n":12345678901234567890,"t":true,"l":null}\n';

it('lays JSON out without changing it', () => {
  expect(indentJson(text)).toBe(`{
    "a": [
        1,
        2.50,
        {
            "b": "x, {y}: \\"z\\" \\u003c"
        }
    ],
    "empty": {},
    "none": [],
    "n": 12345678901234567890,
    "t": true,
    "l": null
}`);
  expect(JSON.parse(indentJson(text))).toEqual(JSON.parse(text));
});

it('takes white space away, but not that of strings', () => {
  expect(compactJson('{ "a b" : [ 1 ,\n "\\" c" ] }')).toBe('{"a b":[1,"\\" c"]}');
});
