import { expect, it } from 'vitest';
import { assertPlatform, foreignPlatformWarning, parseWantedPlatform } from './wanted-platform.ts';

const own = process.arch === 'arm64' ? 'arm64' : 'amd64';
const other = process.arch === 'arm64' ? 'amd64' : 'arm64';
const image = (architecture: string, variant = ''): { os: string; architecture: string; variant: string } => ({
  os: 'linux',
  architecture,
  variant,
});
const check = (text: string, of: ReturnType<typeof image>): void => {
  const platform = parseWantedPlatform(text);
  if (platform !== null) assertPlatform(of, { platform, name: 'hello' });
};

it.each([
  ['', 's390x', ''],
  ['linux/amd64', 'amd64', ''],
  ['linux/x86_64', 'amd64', ''],
  ['amd64', 'amd64', ''],
  ['linux', own, ''],
  ['linux/arm64', 'arm64', 'v8'],
  ['linux/arm64/v8', 'arm64', ''],
  ['linux/arm/v6', 'arm', 'v6'],
])('"%s" is fine with an image for %s %s', (text, architecture, variant) => {
  expect(() => check(text, image(architecture, variant))).not.toThrow();
});

it.each([
  ['linux/arm64/v8', 'amd64', /platform \(linux\/amd64\) does not match the specified platform \(linux\/arm64\/v8\)$/],
  ['windows/amd64', 'amd64', /specified platform \(windows\/amd64\)$/],
  ['linux/arm/v6', 'arm', /does not match/],
  ['odd/thing/a/b', 'amd64', /^"odd\/thing\/a\/b": cannot parse platform specifier: invalid argument$/],
  ['odd', 'amd64', /^"odd": unknown operating system or architecture: invalid argument$/],
])('"%s" is not, with an image for %s', (text, architecture, message) => {
  expect(() => check(text, image(architecture))).toThrow(message);
});

it('warns of an image for another computer', () => {
  expect(foreignPlatformWarning(image(own))).toBeNull();
  expect(foreignPlatformWarning(image(other))).toMatch(/^The requested image's platform \(linux\/\w+\) does not match/);
});
