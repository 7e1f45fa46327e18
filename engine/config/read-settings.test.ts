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

  it.each([
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
