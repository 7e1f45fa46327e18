import { expect, test } from 'vitest';
import type { SettingField } from '../../desktop/contract/drivers.ts';
import { createCommand, parseSettings, textsOf } from './setting-form.ts';

const GiB = 2 ** 30;
const plain = { standard: null, isRequired: false, least: null, most: null, choices: null } as const;
const last = { change: 'never', isAdvanced: false, isLasting: false, title: '', help: '' } as const;
const fields: readonly SettingField[] = [
  { ...plain, ...last, key: 'cpus', flag: 'cpus', kind: 'integer', least: 1, most: 8, standard: 2 },
  { ...plain, ...last, key: 'memoryBytes', flag: 'memory', kind: 'bytes', least: GiB / 2, most: 8 * GiB, standard: 2 * GiB },
  { ...plain, ...last, key: 'diskBytes', flag: 'disk', kind: 'bytes', least: GiB, most: 900 * GiB, standard: 64 * GiB },
  { ...plain, ...last, key: 'host', flag: 'x-host', kind: 'text', isRequired: true },
  { ...plain, ...last, key: 'jumps', flag: 'x-jump', kind: 'list', standard: [] },
  { ...plain, ...last, key: 'token', flag: 'x-token', kind: 'secret' },
  { ...plain, ...last, key: 'adopt', flag: 'x-adopt', kind: 'switch', standard: false },
]; // prettier-ignore
const texts = { ...textsOf(fields), host: 'h' };

test('a form begins with what a new machine gets by itself', () => {
  expect(textsOf(fields)).toEqual({
    cpus: '2',
    memoryBytes: '2 GB',
    diskBytes: '64 GB',
    host: '',
    jumps: '',
    token: '',
    adopt: false,
  });
});

test('only what was changed is asked for', () => {
  expect(parseSettings(fields, { texts })).toEqual({ kind: 'ready', settings: { host: 'h' } });
  const changed = { ...texts, cpus: ' 4 ', memoryBytes: '1.5g', jumps: 'a\n\n b ', token: ' t ', adopt: true };
  expect(parseSettings(fields, { texts: changed })).toEqual({
    kind: 'ready',
    settings: { host: 'h', cpus: 4, memoryBytes: 1.5 * GiB, jumps: ['a', 'b'], token: ' t ', adopt: true },
  });
});

test.each([
  ['512m', GiB / 2],
  ['3', 3 * GiB],
  ['0,75 GB', 0.75 * GiB],
  ['2GiB', undefined],
  ['1 TB', 'no-size'],
  ['much', 'no-size'],
])('a size of %s is %j', (text, means) => {
  const parsed = parseSettings(fields, { texts: { ...texts, memoryBytes: text } });
  if (means === 'no-size')
    expect(parsed).toEqual({
      kind: 'problems',
      problems: { memoryBytes: { kind: 'no-size', least: '512 MB', most: '8 GB' } },
    });
  else expect(parsed).toMatchObject({ kind: 'ready', settings: { memoryBytes: means ?? 2 * GiB } });
});

test('every field says for itself what is wrong with it', () => {
  expect(parseSettings(fields, { texts: { ...texts, host: ' ', cpus: '9' } })).toEqual({
    kind: 'problems',
    problems: { host: { kind: 'missing' }, cpus: { kind: 'no-number', least: '1', most: '8' } },
  });
});

test('a list that is emptied is asked for, so that what there would be by itself is not', () => {
  const shares: SettingField = { ...plain, ...last, key: 'shares', flag: 'mount', kind: 'list', standard: ['~'] };
  expect(textsOf([shares])).toEqual({ shares: '~' });
  expect(parseSettings([shares], { texts: { shares: ' ' } })).toEqual({ kind: 'ready', settings: { shares: [] } });
});

test('of a machine that is there, a disk only grows and what is untouched stays', () => {
  const now = { cpus: 2, memoryBytes: GiB + 12_345, diskBytes: 32 * GiB, host: 'h' };
  const sizes = fields.filter(({ key }) => key in now);
  const untouched = textsOf(sizes, now);
  expect(parseSettings(sizes, { texts: untouched, before: now })).toEqual({ kind: 'ready', settings: {} });
  expect(parseSettings(sizes, { texts: { ...untouched, diskBytes: '40' }, before: now })).toEqual({
    kind: 'ready',
    settings: { diskBytes: 40 * GiB },
  });
  expect(parseSettings(sizes, { texts: { ...untouched, diskBytes: '20 GB' }, before: now })).toEqual({
    kind: 'problems',
    problems: { diskBytes: { kind: 'only-grows', now: '32 GB' } },
  });
});

test('the command line says the same without the secrets', () => {
  const settings = { host: 'h', memoryBytes: 1.5 * GiB, jumps: ['a', 'b'], token: 'hush', adopt: true };
  expect(createCommand({ name: 'web', driver: 'x', fields, settings, keepsSecrets: true }).join(' ')).toBe(
    'skiff machine create --driver x --memory 1.5g --x-host h --x-jump a --x-jump b --x-token … --x-adopt --keep-secrets web',
  );
});
