import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCommand } from './read-settings.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-settings-'));
const file = path.join(folder, 'daemon.json');
afterAll(() => rmSync(folder, { recursive: true }));

const withFile = (content: unknown, ...flags: string[]): ReturnType<typeof readCommand> => {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return readCommand(['--config-file', file, ...flags]);
};

describe('settings', () => {
  it('come from flags of the names that dockerd has', () => {
    const command = readCommand([
      '-H',
      'unix:///a.sock',
      '--host=unix:///b.sock',
      '--data-root',
      '/d',
      '--exec-root',
      '/e',
      '-D',
    ]);
    expect(command).toMatchObject({
      verb: 'serve',
      settings: {
        sockets: ['/a.sock', '/b.sock'],
        dataRoot: '/d',
        execRoot: '/e',
        verbosity: 'debug',
        bridgeName: null,
      },
    });
  });

  it('come from a file of the form that dockerd has', () => {
    const command = withFile({
      hosts: ['unix:///a.sock'],
      bip: '10.9.0.1/24',
      'log-opts': { 'max-size': '1m' },
      debug: true,
    });
    expect(command).toMatchObject({
      settings: {
        sockets: ['/a.sock'],
        bridgeAddress: '10.9.0.1/24',
        logOptions: { 'max-size': '1m' },
        verbosity: 'debug',
      },
    });
  });

  it('say about registries what dockerd knows, and more', () => {
    const command = withFile(
      {
        'registry-mirrors': ['https://mirror.example', 'quay.io=https://mirror.example/quay'],
        'insecure-registries': ['10.0.0.0/8', 'Registry.example:5000'],
        proxies: { 'http-proxy': 'proxy.example:3128', 'no-proxy': 'localhost' },
        'max-concurrent-downloads': 7,
      },
      '--registry-token-server',
      'registry.example=auth.example.net',
      '--max-download-attempts',
      '2',
    );
    expect(command).toMatchObject({
      settings: {
        registries: {
          mirrors: [
            { registry: 'docker.io', url: 'https://mirror.example/' },
            { registry: 'quay.io', url: 'https://mirror.example/quay/' },
          ],
          insecure: ['10.0.0.0/8', 'registry.example:5000'],
          tokenServers: [{ registry: 'registry.example', host: 'auth.example.net' }],
          certificateFolders: ['/etc/skiff/certs.d', '/etc/docker/certs.d'],
          proxy: { http: 'http://proxy.example:3128', https: null, none: 'localhost' },
          silenceMs: 60_000,
          attempts: 2,
          downloadsAtOnce: 7,
          uploadsAtOnce: 5,
        },
      },
    });
  });

  it('take proxies from the environment where nothing else names them', () => {
    const command = readCommand(['--no-proxy', 'a.example'], { HTTPS_PROXY: 'http://p:1', no_proxy: 'b.example' });
    expect(command).toMatchObject({
      settings: { registries: { proxy: { http: null, https: 'http://p:1', none: 'a.example' } } },
    });
  });

  it.each([
    [() => readCommand(['--registry-mirror', 'mirror.example']), /not a valid URL|only http and https/],
    [() => readCommand(['--registry-mirror', 'https://u:p@mirror.example']), /username\/password not allowed/],
    [() => readCommand(['--registry-mirror', 'https://mirror.example/?x=1']), /query and fragment/],
    [() => readCommand(['--insecure-registry', '10.0.0.0/99']), /--insecure-registry/],
    [() => readCommand(['--insecure-registry', 'a b']), /--insecure-registry/],
    [() => readCommand(['--registry-token-server', 'x']), /REGISTRY=HOST/],
    [() => readCommand(['--max-concurrent-downloads', '0']), /--max-concurrent-downloads/],
    [() => readCommand(['--https-proxy', 'socks5://user:s3cret@p']), /^(?!.*s3cret).*--https-proxy/],
    [() => withFile({ proxies: { 'ftp-proxy': 'x' } }), /proxies\.ftp-proxy/],
    [() => withFile({ proxies: 'x' }), /proxies must be an object/],
    [() => readCommand(['--nope']), /--nope/],
    [() => readCommand(['-H', 'tcp://0.0.0.0:2375']), /TCP is not there yet/],
    [() => readCommand(['-H', 'unix://relative']), /expected unix:/],
    [() => readCommand(['--bip', '300.0.0.1/16']), /--bip/],
    [() => readCommand(['--bridge', 'a-name-that-is-too-long']), /at most 15/],
    [() => readCommand(['--log-driver', 'gelf']), /json-file, local/],
    [() => readCommand(['--config-file', '/nowhere.json']), /nowhere\.json/],
    [() => withFile('{'), /daemon\.json/],
    [() => withFile({ 'storage-driver': 'x', hosts: [] }), /don't match any configuration option: storage-driver/],
    [() => withFile({ bip: 5 }), /bip must be a string/],
    [
      () => withFile({ bip: '10.9.0.1/24' }, '--bip', '10.8.0.1/24'),
      /both as a flag and in the configuration file: bip/,
    ],
  ])('that are wrong are refused by name (%#)', (read, message) => {
    expect(read).toThrow(message);
  });
});
