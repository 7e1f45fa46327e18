import { describe, expect, it } from 'vitest';
import { driverSettings, readableBytes, storedSettings } from './driver-settings.ts';
import { setting } from './setting.ts';

const GiB = 2 ** 30;
const settings = driverSettings({
  cpus: setting.integer({ flag: 'cpus', title: 'Processors', help: '', least: 1, most: 8, standard: 2 }),
  memoryBytes: setting.bytes({ flag: 'memory', title: 'Memory', help: '', least: GiB, most: 4 * GiB, standard: GiB }),
  host: setting.required({ flag: 'x-host', title: 'Host', help: '', environment: ['X_HOST'] }),
  mode: setting.text({ flag: 'x-mode', title: 'Mode', help: '', standard: 'nat', choices: ['nat', 'bridge'] }),
  tags: setting.list({ flag: 'x-tag', title: 'Tags', help: '' }),
  token: setting.secret({ flag: 'x-token', title: 'Token', help: '' }),
  isQuick: setting.switch({ flag: 'x-quick', title: 'Quick', help: '' }),
});

describe('settings of a driver', () => {
  it('fill in what was not asked for', () => {
    expect(settings.resolve({ host: ' a ' })).toEqual({
      cpus: 2,
      memoryBytes: GiB,
      host: 'a',
      mode: 'nat',
      tags: [],
      token: undefined,
      isQuick: false,
    });
  });

  it('round sizes down to whole MiB', () => {
    expect(settings.resolve({ host: 'a', memoryBytes: GiB + 1000 }).memoryBytes).toBe(GiB);
  });

  it.each([
    [{}, 'Host is missing: give it with --x-host or as X_HOST'],
    [{ host: 'a', cpus: 9 }, 'Processors (--cpus) must be a whole number from 1 to 8, not 9'],
    [{ host: 'a', memoryBytes: 2 ** 20 }, 'Memory (--memory) must be 1 GiB to 4 GiB, not 1 MiB'],
    [{ host: 'a', mode: 'wire' }, 'Mode (--x-mode) must be one of nat, bridge, not "wire"'],
    [{ host: 'a', colour: 'red' }, 'This driver has no setting "colour"; it has: cpus, memoryBytes, host, mode'],
    [{ host: 'a', token: '' }, 'Token (--x-token) must be a text that is not empty, not what was given'],
  ])('refuse %j, naming flag and limits', (given, says) => {
    expect(() => settings.resolve(given)).toThrow(
      expect.objectContaining({ code: 'invalid-setting', message: expect.stringContaining(says) }),
    );
  });

  it('are written without secrets', () => {
    const stored = storedSettings(settings.fields, { host: 'a', token: 'hush', cpus: 2, tags: undefined });
    expect(stored).toEqual({ host: 'a', cpus: 2 });
  });

  it('are data that a form can be made of', () => {
    expect(JSON.parse(JSON.stringify(settings.fields))).toEqual(settings.fields);
    expect(settings.fields.map(({ key, kind }) => `${key} ${kind}`)).toContain('token secret');
  });

  it.each([
    [512, '512 bytes'],
    [1.5 * GiB, '1.5 GiB'],
  ])('show %d bytes as %s', (bytes, shown) => {
    expect(readableBytes(bytes)).toBe(shown);
  });
});
