import { describe, expect, it } from 'vitest';
import { parseRegistryAuth } from './registry-auth.ts';

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const ada = { kind: 'basic', user: 'ada', password: 'lövelace>>??' };

describe('X-Registry-Auth', () => {
  it.each([
    ['user and password', encoded({ username: 'ada', password: 'lövelace>>??', serveraddress: 'x' }), ada],
    ['the standard alphabet', Buffer.from('{"username":"ada","password":"lövelace>>??"}').toString('base64'), ada],
    ['no padding', encoded({ username: 'ada', password: 'lövelace>>??' }).replace(/=+$/, ''), ada],
    ['names as Go reads them, in any case', encoded({ Username: 'ada', PASSWORD: 'lövelace>>??' }), ada],
    ['the pair of a docker configuration', encoded({ auth: Buffer.from('ada:lövelace>>??').toString('base64') }), ada],
    ['an identity token', encoded({ identitytoken: 'i' }), { kind: 'identity-token', token: 'i' }],
    ['a token for the registry', encoded({ registrytoken: 'r' }), { kind: 'registry-token', token: 'r' }],
    ['plain JSON', '{}', { kind: 'none' }],
    ['an empty object', encoded({}), { kind: 'none' }],
    ['null', encoded(null), { kind: 'none' }],
    ['no header', undefined, { kind: 'none' }],
    ['what is no JSON', 'bm90IGpzb24=', { kind: 'none' }],
    ['what is no base64', '%%%', { kind: 'none' }],
    ['a list', encoded([1]), { kind: 'none' }],
    ['numbers', encoded({ username: 1, password: 2 }), { kind: 'none' }],
    ['a whole file', 'A'.repeat(100_000), { kind: 'none' }],
  ])('may hold %s', (_what, header, credentials) => {
    expect(parseRegistryAuth(header)).toEqual(credentials);
  });
});
