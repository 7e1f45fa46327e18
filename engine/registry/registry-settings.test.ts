import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { authoritiesWith } from './authorities.ts';
import { readCertificates } from './certificates.ts';
import { endpointsOf } from './endpoints.ts';
import { proxyFor } from './proxy.ts';
import { isInsecure } from './registry-settings.ts';
import { quietSettings } from './registry-world.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-registry-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a registry', () => {
  const insecure = ['plain.example', 'ported.example:5000', '10.0.0.0/8', 'fd00::/8'];
  it.each([
    ['localhost', 'insecure'],
    ['localhost:5000', 'insecure'],
    ['127.0.0.1:5000', 'insecure'],
    ['127.9.9.9', 'insecure'],
    ['[::1]:5000', 'insecure'],
    ['plain.example', 'insecure'],
    ['PLAIN.example:444', 'insecure'],
    ['ported.example:5000', 'insecure'],
    ['ported.example', 'secure'],
    ['10.1.2.3:5000', 'insecure'],
    ['11.1.2.3', 'secure'],
    ['[fd00::7]:5000', 'insecure'],
    ['localhost.example', 'secure'],
    ['docker.io', 'secure'],
  ])('%s is %s', (host, state) => {
    expect(isInsecure(host, { insecure })).toBe(state === 'insecure');
  });

  it('is reached at its mirrors first, by pulls', () => {
    const settings = {
      ...quietSettings,
      mirrors: [
        { registry: 'docker.io', url: 'https://one.example/' },
        { registry: 'quay.io', url: 'https://two.example/quay/' },
      ],
      insecure: ['plain.example'],
    };
    const urls = (domain: string, purpose: 'pull' | 'push'): readonly string[] =>
      endpointsOf({ domain }, purpose, settings).map(({ url }) => url);
    expect(urls('docker.io', 'pull')).toEqual(['https://one.example/', 'https://registry-1.docker.io/']);
    expect(urls('docker.io', 'push')).toEqual(['https://registry-1.docker.io/']);
    expect(urls('quay.io', 'pull')).toEqual(['https://two.example/quay/', 'https://quay.io/']);
    expect(urls('plain.example', 'pull')).toEqual(['https://plain.example/', 'http://plain.example/']);
  });
});

describe('a proxy', () => {
  const proxy = {
    http: 'http://h:1',
    https: 'http://s:2',
    none: 'a.example, .b.example,10.0.0.0/8,c.example:5000,*.d.example',
  };
  it.each([
    ['https://registry.example/', 'http://s:2'],
    ['http://registry.example/', 'http://h:1'],
    ['https://a.example/', null],
    ['https://x.a.example/', null],
    ['https://b.example/', 'http://s:2'],
    ['https://x.b.example/', null],
    ['https://10.9.9.9/', null],
    ['https://11.9.9.9/', 'http://s:2'],
    ['https://c.example:5000/', null],
    ['https://c.example/', 'http://s:2'],
    ['https://x.d.example/', null],
    ['http://localhost:5000/', null],
    ['http://127.0.0.1:5000/', null],
    ['http://[::1]:5000/', null],
  ])('stands before %s: %s', (url, expected) => {
    expect(proxyFor(new URL(url), { proxy })).toBe(expected);
  });

  it('stands before nothing when the exceptions say so', () => {
    expect(proxyFor(new URL('https://x.example/'), { proxy: { ...proxy, none: '*' } })).toBeNull();
  });
});

describe('certificates', () => {
  const write = (host: string, files: Readonly<Record<string, string>>): void => {
    mkdirSync(path.join(folder, host));
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, host, name), text);
  };

  it('come from the folder of the host, port included', () => {
    write('a.example:5000', { 'ca.crt': 'A', 'b.crt': 'B', 'client.cert': 'C', 'client.key': 'K', 'notes.txt': '' });
    expect(readCertificates(['/nowhere', folder], 'a.example:5000')).toEqual({
      authorities: ['B', 'A'],
      client: { certificate: 'C', key: 'K' },
    });
    expect(readCertificates([folder], 'a.example')).toEqual({ authorities: [], client: null });
  });

  it.each([
    ['cert.example', { 'client.cert': 'C' }, 'missing client.key in'],
    ['key.example', { 'client.key': 'K' }, 'missing client.cert in'],
  ])('that are half there are refused (%s)', (host, files, message) => {
    write(host, files);
    expect(() => readCertificates([folder], host)).toThrow(message);
  });

  it('of the system count besides those that Node brings', () => {
    const [known = ''] = tls.getCACertificates('bundled');
    const added = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';
    writeFileSync(path.join(folder, 'bundle.crt'), `# a comment\n${known}\n${added}\n`);
    expect(authoritiesWith([], [path.join(folder, 'bundle.crt')])?.at(-1)).toBe(added);
    expect(authoritiesWith([], [path.join(folder, 'none.crt')])).toBeUndefined();
    expect(authoritiesWith(['own'], [path.join(folder, 'none.crt')])?.at(-1)).toBe('own');
  });
});
