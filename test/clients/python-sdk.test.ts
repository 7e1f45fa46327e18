import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startEngine } from '../engine/start-engine.ts';
import { fetchPackages, userCache } from '../peers/debian-packages.ts';
import { describeWith } from '../skip.ts';

const packages = [
  'python3-docker',
  'python3-requests',
  'python3-urllib3',
  'python3-idna',
  'python3-certifi',
  'python3-charset-normalizer',
  'python3-websocket',
  'python3-packaging',
];

describeWith(['linux', 'root', { program: 'python3' }, { program: 'apt-get' }], 'docker’s Python SDK on skiffd', () => {
  it('does what people do with it', async () => {
    const library = 'usr/lib/python3/dist-packages';
    const peer = fetchPackages({
      cacheFolder: userCache(),
      name: 'python-docker-sid',
      packages,
      proof: `${library}/docker/__init__.py`,
    });
    await using engine = await startEngine();
    const { stdout } = await promisify(execFile)(
      'python3',
      [path.join(import.meta.dirname, 'python-sdk.py'), `unix://${engine.socket}`],
      { env: { ...process.env, PYTHONPATH: path.join(peer, library) }, timeout: 150_000 },
    );
    expect(JSON.parse(stdout)).toEqual({
      ping: true,
      run: 'hi\n',
      failed: [3, 'failing\n'],
      exec: [4, 'in\n'],
      demux: ['out\n', 'err\n'],
      listed: ['python-box'],
      status: 'running',
      put: true,
      got: ['note', 5, 'paper'],
      diff: [
        { Path: '/tmp', Kind: 0 },
        { Path: '/tmp/note', Kind: 1 },
      ],
      top: 'sleep 600',
      stats: true,
      reached: true,
      kept: 'kept\n',
      waited: 137,
      gone: 'No such container: python-case',
      unknown: 'No such image: nosuch:image',
    });
  }, 200_000);
});
