import { describe, expect, it } from 'vitest';
import type { MachineDocument } from './machine-document.ts';
import { formatDocument, migrate, parseDocument } from './machine-document.ts';

const document: MachineDocument = {
  version: 2,
  id: '0123456789abcdef'.repeat(2),
  name: 'default',
  driver: 'qemu',
  createdAt: '2026-01-02T03:04:05.678Z',
  settings: { cpus: 2, memoryBytes: 2 ** 30, diskBytes: 2 ** 36 },
  lifecycle: { phase: 'creating', done: ['keys', 'image'], error: null },
  driverMemory: { sshPort: 40000 },
  facts: { accelerator: 'tcg' },
  resources: [],
  engine: { version: '0.1.0', digest: 'abc' },
  dockerContext: 'skiff',
};

describe('a machine document', () => {
  it('comes back as it was written', () => {
    expect(parseDocument(formatDocument(document), 'machine.json')).toEqual(document);
  });

  it('of the first version gets an id, the same at each reading', () => {
    const { id: _id, resources: _resources, ...rest } = document;
    const old = JSON.stringify({ ...rest, version: 1 });
    const now = parseDocument(old, 'machine.json');
    expect(now).toEqual({ ...document, id: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(parseDocument(old, 'machine.json').id).toBe(now.id);
  });

  it.each([
    ['cut in the middle', '{"version": 1, "name": "def', /not JSON/],
    ['empty', '', /not JSON/],
    ['a list', '[]', /not an object/],
    ['without a version', '{}', /version is undefined/],
    ['of a version that never was', '{"version": 0}', /version is 0/],
    ['of a newer Skiff', '{"version": 3}', /newer Skiff .*update Skiff/],
    ['with a field missing', JSON.stringify({ ...document, driver: undefined }), /driver/],
    [
      'with a field of the wrong kind',
      JSON.stringify({ ...document, settings: { ...document.settings, cpus: 'two' } }),
      /cpus/,
    ],
    ['with a field that nobody knows', JSON.stringify({ ...document, surprise: 1 }), /surprise/],
    [
      'with a step that nobody knows',
      JSON.stringify({ ...document, lifecycle: { phase: 'creating', done: ['paint'], error: null } }),
      /done/,
    ],
  ])('that is %s is refused, naming the file and why', (_what, text, why) => {
    expect(() => parseDocument(text, '/home/machine.json')).toThrow(why);
    expect(() => parseDocument(text, '/home/machine.json')).toThrow('/home/machine.json cannot be read');
  });
});

describe('migrations', () => {
  const rename = (from: string, to: string) => (old: Record<string, unknown>) => {
    const { [from]: value, ...rest } = old;
    return { ...rest, [to]: value };
  };
  const migrations = [rename('unused', 'unused'), rename('colour', 'color'), rename('color', 'paint')];

  it.each([
    [
      { version: 1, colour: 'red' },
      { version: 3, paint: 'red' },
    ],
    [
      { version: 2, color: 'red' },
      { version: 3, paint: 'red' },
    ],
    [
      { version: 3, paint: 'red' },
      { version: 3, paint: 'red' },
    ],
  ])('lead %j on to the newest version, one number after the other', (old, expected) => {
    expect(migrate(old, { source: 'x', migrations, target: 3 })).toEqual(expected);
  });

  it('say when a number is missing', () => {
    expect(() => migrate({ version: 1 }, { source: 'x', migrations: [], target: 2 })).toThrow(
      /leads on from version 1/,
    );
  });
});
