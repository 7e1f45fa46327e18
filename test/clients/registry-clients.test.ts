/** Others who talk to the same registry: skopeo reads what we push and we pull what it wrote; compose pulls and pushes through us. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../engine/api.ts';
import { docker, type Ran } from '../engine/docker.ts';
import { type RunningEngine, startEngine } from '../engine/start-engine.ts';
import { pull, push } from '../engine/transfer.ts';
import { type RunningRegistry, startRegistry } from '../peers/registry.ts';
import { describeWith } from '../skip.ts';
import { Compose } from './compose.ts';

describeWith(['linux', 'root', { program: 'docker' }, { program: 'apt-get' }], 'images that others share', () => {
  let engine: RunningEngine;
  let registry: RunningRegistry;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'registry-clients-'));
  beforeAll(async () => {
    [engine, registry] = await Promise.all([startEngine(), startRegistry()]);
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const tagged = async (name: string): Promise<string> => {
    const full = `${registry.host}/${name}`;
    const [repository = '', tag = ''] = [full.slice(0, full.lastIndexOf(':')), full.slice(full.lastIndexOf(':') + 1)];
    await call(engine.socket, 'POST', `/images/hello/tag?repo=${repository}&tag=${tag}`);
    return full;
  };

  describeWith([{ program: 'skopeo' }], 'skopeo', () => {
    const layout = path.join(folder, 'layout');

    it('copies what we pushed, byte for byte, and we run what it wrote', async () => {
      const name = await tagged('shared/hello:1');
      expect((await push(engine.socket, `${registry.host}/shared/hello`, '1')).error).toBeNull();
      await call(engine.socket, 'DELETE', `/images/${name}`);
      expect(await skopeo('copy', '--src-tls-verify=false', `docker://${name}`, `oci:${layout}:1`)).toMatchObject({
        exitCode: 0,
      });
      for (const [tag, extra] of [
        ['oci', []],
        ['docker', ['--format', 'v2s2']],
        ['zstd', ['--dest-compress-format', 'zstd']],
      ] as const) {
        const copy = `${registry.host}/shared/copy:${tag}`;
        const copied = await skopeo('copy', ...extra, '--dest-tls-verify=false', `oci:${layout}:1`, `docker://${copy}`);
        expect(copied).toMatchObject({ exitCode: 0 });
        expect((await pull(engine.socket, copy)).error).toBeNull();
        const ran = await docker(engine.socket, ['run', '--rm', copy, 'echo', tag]);
        expect(ran).toMatchObject({ exitCode: 0, stdout: `${tag}\n` });
        await call(engine.socket, 'DELETE', `/images/${copy}`);
      }
    });
  });

  describe('docker compose', () => {
    it('pushes and pulls the images of a project', async () => {
      const name = await tagged('shop/web:1');
      const compose = new Compose({ socket: engine.socket, folder });
      const file = path.join(compose.projectFolder, 'compose.yaml');
      writeFileSync(
        file,
        `name: pulled\nservices:\n  web:\n    image: ${name}\n    build: .\n    command: echo from compose\n`,
      );
      expect(await compose.run(['push'])).toMatchObject({ exitCode: 0 });
      await call(engine.socket, 'DELETE', `/images/${name}`);
      writeFileSync(file, readFileSync(file, 'utf8').replace('    build: .\n', ''));
      expect(await compose.run(['pull'])).toMatchObject({ exitCode: 0 });
      const ran = await compose.run(['run', '--rm', 'web']);
      expect(ran).toMatchObject({ exitCode: 0, stdout: 'from compose\n' });
      await compose.run(['down']);
      await call(engine.socket, 'DELETE', `/images/${name}`);
    });
  });
});

function skopeo(...words: readonly string[]): Promise<Ran> {
  // It wants to know whom to trust; Debian's package has no rule of its own.
  const child = spawn('skopeo', ['--insecure-policy', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? -1, stdout, stderr }));
  });
}
