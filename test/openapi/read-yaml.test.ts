import { describe, expect, it } from 'vitest';
import { Description } from './description.ts';
import { readYaml } from './read-yaml.ts';

describe('the reader of our API description', () => {
  it('reads mappings, lists, flow and folded text', () => {
    const text = [
      '# a comment',
      'name: A plain one',
      "quoted: 'it''s'",
      'folded: >-',
      '  one',
      '  two',
      'list:',
      '  - a: 1',
      '    b: true',
      "  - { c: [x, 'y, z'], d: {} }",
      '  - null',
      'long:',
      '  {',
      "    $ref: '#/x',",
      '  }',
      '/paths/{id}:',
      '  get: {}',
    ].join('\n');
    expect(readYaml(text)).toEqual({
      name: 'A plain one',
      quoted: "it's",
      folded: 'one two',
      list: [{ a: 1, b: true }, { c: ['x', 'y, z'], d: {} }, null],
      long: { $ref: '#/x' },
      '/paths/{id}': { get: {} },
    });
  });

  it('throws at what it does not understand', () => {
    expect(() => readYaml('a:\n  b\n')).toThrow('line 2: expected a key: b');
    expect(() => readYaml('a: { b: 1 } c')).toThrow('line 1');
  });
});

describe('the check of answers', () => {
  const description = new Description({
    components: {
      s: {
        type: 'object',
        required: ['a'],
        additionalProperties: false,
        properties: { a: { type: ['string', 'null'] } },
      },
    },
  });
  it.each([
    [{ a: 'x' }, []],
    [{ a: null }, []],
    [{}, ['answer.a is missing']],
    [{ a: 1 }, ['answer.a: 1 is no string or null']],
    [{ a: 'x', b: 1 }, ['answer.b is not described']],
    [[], ['answer: [] is no object']],
  ])('%j', (value, problems) => {
    expect(description.problems({ $ref: '#/components/s' }, value)).toEqual(problems);
  });
});
