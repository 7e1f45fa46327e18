import { expect, test } from 'vitest';
import { exitMeaning } from './exit-meaning.ts';

test.each([
  [0, { kind: 'success' }],
  [1, { kind: 'failure' }],
  [126, { kind: 'not-executable' }],
  [127, { kind: 'not-found' }],
  [137, { kind: 'killed' }],
  [139, { kind: 'signal', name: 'SIGSEGV' }],
  [143, { kind: 'terminated' }],
  [200, { kind: 'failure' }],
  [255, { kind: 'failure' }],
])('exit code %i is told for what it is', (code, meaning) => {
  expect(exitMeaning(code)).toEqual(meaning);
});
