import { expect, it } from 'vitest';
import { parseChallenges } from './challenges.ts';

it.each([
  [undefined, []],
  ['', []],
  ['Basic realm="a b"', [{ scheme: 'basic', parameters: { realm: 'a b' } }]],
  [
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example/token',
          service: 'registry.example',
          scope: 'repository:a/b:pull,push',
        },
      },
    ],
  ],
  [
    'Basic realm="x", Bearer Realm = "y" , error=insufficient_scope',
    [
      { scheme: 'basic', parameters: { realm: 'x' } },
      { scheme: 'bearer', parameters: { realm: 'y', error: 'insufficient_scope' } },
    ],
  ],
  [
    'Negotiate, Basic realm="quoted \\"name\\""',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'quoted "name"' } },
    ],
  ],
  ['realm="without a scheme"', []],
  ['Bearer realm="never closed', [{ scheme: 'bearer', parameters: { realm: '' } }]],
])('challenges are read from %j', (header, challenges) => {
  expect(parseChallenges(header)).toMatchObject(challenges);
});
