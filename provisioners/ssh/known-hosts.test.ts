import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { findKnownHost } from './known-hosts.ts';

const blob = Buffer.from('key').toString('base64');
const hashed = (name: string): string => {
  const salt = Buffer.alloc(20, 7);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
};
const typesOf = (text: string, host: string, port = 22): string[] =>
  findKnownHost(text, { host, port }).keys.map(({ type }) => type);

describe('known_hosts', () => {
  it.each([
    ['a plain name', 'web.example', 'web.example', 22, true],
    ['any case', 'Web.Example', 'WEB.example', 22, true],
    ['one of a list', 'web,192.0.2.7', '192.0.2.7', 22, true],
    ['another port', '[web]:2222', 'web', 2222, true],
    ['the usual port only', 'web', 'web', 2222, false],
    ['a pattern', '*.example', 'web.example', 22, true],
    ['a dot as a dot', 'web.example', 'webxexample', 22, false],
    ['what is excluded', '*.example,!web.example', 'web.example', 22, false],
    ['a hashed name', hashed('web.example'), 'web.example', 22, true],
    ['a hashed name with its port', hashed('[web]:2222'), 'web', 2222, true],
    ['another hashed name', hashed('other'), 'web', 22, false],
  ])('knows %s (%s)', (_what, names, host, port, isKnown) => {
    expect(typesOf(`${names} ssh-ed25519 ${blob} comment`, host, port)).toEqual(isKnown ? ['ssh-ed25519'] : []);
  });

  it('passes over comments, empty lines and half lines', () => {
    expect(typesOf('# web ssh-rsa AAAA\n\nweb\nweb ssh-rsa', 'web')).toEqual([]);
  });

  it('tells revoked keys apart, and takes no authority for a host key', () => {
    const text = `@revoked web ssh-rsa ${blob}\n@cert-authority web ssh-ed25519 ${blob}`;
    const { keys, revoked } = findKnownHost(text, { host: 'web', port: 22 });
    expect({ keys: keys.length, revoked: revoked.map(({ type }) => type) }).toEqual({ keys: 0, revoked: ['ssh-rsa'] });
  });
});
