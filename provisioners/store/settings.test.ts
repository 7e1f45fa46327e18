import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readImageSource } from './settings.ts';

let home: string;
beforeAll(async () => void (home = await mkdtemp(join(tmpdir(), 'skiff-settings-'))));
afterAll(() => rm(home, { recursive: true }));

const sha256 = 'a'.repeat(64);
const written = async (text: string): ReturnType<typeof readImageSource> => {
  await writeFile(join(home, 'settings.json'), text);
  return readImageSource(home);
};

it('builds the machine image where nobody says otherwise', async () => {
  expect(await readImageSource(join(home, 'nowhere'))).toEqual({ kind: 'build' });
  expect(await written('{}')).toEqual({ kind: 'build' });
});

it('takes a release of the machine image from where the settings say', async () => {
  const url = 'https://example.org/skiff/manifest.json';
  expect(await written(JSON.stringify({ machineImage: { url, sha256 } }))).toEqual({ kind: 'release', url, sha256 });
});

it.each([
  ['{', /settings\.json is no JSON/],
  ['{"machineimage": {}}', /machineimage/],
  [JSON.stringify({ machineImage: { url: 'ftp://example.org/x', sha256 } }), /url/],
  [JSON.stringify({ machineImage: { url: 'https://example.org/x', sha256: 'short' } }), /64 hexadecimal digits/],
])('refuses %s, naming what is wrong', async (text, message) => {
  await expect(written(text)).rejects.toMatchObject({
    code: 'invalid-setting',
    message: expect.stringMatching(message),
  });
});
