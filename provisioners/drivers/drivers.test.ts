import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { homePaths } from '../store/home.ts';
import { openDrivers } from './drivers.ts';

describe('the drivers', () => {
  const drivers = [...openDrivers(homePaths('/nowhere'), { platform: 'linux', arch: 'x64', environment: {} }).values()];

  it.each(drivers.map((driver) => [driver.name, driver] as const))(
    '%s is described in docs/drivers.md',
    async (name, driver) => {
      const docs = await readFile(new URL('../../docs/drivers.md', import.meta.url), 'utf8');
      expect(docs).toContain(`| \`${name}\` |`);
      for (const { flag, environment } of driver.settings.fields) {
        expect(docs).toContain(`--${flag}`);
        for (const variable of environment) expect(docs).toContain(variable);
      }
    },
  );

  it('mean the same by a flag that they share', () => {
    const meanings = new Map<string, string>();
    for (const { flag, key, kind } of drivers.flatMap(({ settings }) => settings.fields)) {
      expect(meanings.get(flag) ?? `${key} ${kind}`).toBe(`${key} ${kind}`);
      meanings.set(flag, `${key} ${kind}`);
    }
  });

  it('need no setting that a host chosen for the user would lack', () => {
    const automatic = drivers.filter(({ capabilities }) => capabilities.system === 'skiff-image');
    expect(automatic[0]?.name).toBe('qemu');
    for (const { settings } of automatic) expect(settings.fields.some(({ isRequired }) => isRequired)).toBe(false);
  });
});
