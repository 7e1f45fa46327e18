import { describe, expect, it } from 'vitest';
import {
  familiarName,
  familiarReference,
  formatReference,
  matchesPattern,
  parseReference,
  withDefaultTag,
} from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('a reference', () => {
  it.each([
    ['ubuntu', 'docker.io/library/ubuntu:latest', 'ubuntu:latest'],
    ['ubuntu:24.04', 'docker.io/library/ubuntu:24.04', 'ubuntu:24.04'],
    ['library/ubuntu', 'docker.io/library/ubuntu:latest', 'ubuntu:latest'],
    ['docker.io/ubuntu', 'docker.io/library/ubuntu:latest', 'ubuntu:latest'],
    ['index.docker.io/library/ubuntu', 'docker.io/library/ubuntu:latest', 'ubuntu:latest'],
    ['team/app', 'docker.io/team/app:latest', 'team/app:latest'],
    ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/app:1', 'localhost:5000/app:1', 'localhost:5000/app:1'],
    ['Host/app', 'Host/app:latest', 'Host/app:latest'],
    ['ghcr.io/owner/name:v1.2', 'ghcr.io/owner/name:v1.2', 'ghcr.io/owner/name:v1.2'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    [`ubuntu@${digest}`, `docker.io/library/ubuntu@${digest}`, `ubuntu@${digest}`],
    [`ubuntu:1@${digest}`, `docker.io/library/ubuntu:1@${digest}`, `ubuntu:1@${digest}`],
    ['a__b/c.d-e---f', 'docker.io/a__b/c.d-e---f:latest', 'a__b/c.d-e---f:latest'],
  ])('%s is stored as %s and shown as %s', (text, full, short) => {
    const reference = withDefaultTag(parseReference(text));
    expect([formatReference(reference), familiarReference(reference)]).toEqual([full, short]);
    expect(withDefaultTag(parseReference(full))).toEqual(reference);
    expect(withDefaultTag(parseReference(short))).toEqual(reference);
  });

  it.each([
    ['', /^invalid reference format$/],
    ['a b', /^invalid reference format$/],
    ['a//b', /^invalid reference format$/],
    ['/a', /^invalid reference format$/],
    ['a:', /^invalid reference format$/],
    ['a:-x', /^invalid reference format$/],
    [`a:${'x'.repeat(129)}`, /^invalid reference format$/],
    ['a..b', /^invalid reference format$/],
    ['a@sha256:12', /^invalid reference format$/],
    ['../../etc/passwd', /^invalid reference format$/],
    ['a\n', /^invalid reference format$/],
    ['team/App', /repository name \(team\/App\) must be lowercase/],
    ['Ubuntu', /repository name \(library\/Ubuntu\) must be lowercase/],
    ['b'.repeat(64), /cannot specify 64-byte hexadecimal strings/],
    [`x/${'y'.repeat(256)}`, /not be more than 255 characters/],
  ])('that is malformed is refused: %j', (text, message) => {
    expect(() => parseReference(text)).toThrow(message);
  });

  it.each([
    ['busybox', 'busybox', true],
    ['busybox', 'busy*', true],
    ['busybox', 'busybox:latest', true],
    ['busybox', '*:late?t', true],
    ['busybox', '*box:[k-m]atest', true],
    ['busybox', 'busyb', false],
    ['team/app', '*', false],
    ['team/app', '*/*', true],
    ['team/app', 'team/app:1', false],
    ['a.b/c', 'axb/c', false],
  ])('%s against the pattern %s: %s', (text, pattern, isMatch) => {
    expect(matchesPattern(withDefaultTag(parseReference(text)), pattern)).toBe(isMatch);
  });

  it('refuses a pattern that is none', () => {
    expect(() => matchesPattern(parseReference('a'), '[a')).toThrow(/syntax error in pattern/);
  });

  it('says its name without tag and digest', () => {
    expect(familiarName(parseReference(`ghcr.io/o/n:1@${digest}`))).toBe('ghcr.io/o/n');
  });
});
