import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../skip.ts';
import { call } from './api.ts';
import { docker } from './docker.ts';
import { startEngine } from './start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'skiffd and its host', () => {
  it('lets engines run side by side, each with containers, a bridge and names of its own', async () => {
    await using one = await startEngine();
    await using two = await startEngine();
    for (const engine of [one, two]) {
      const started = await docker(engine.socket, [
        'run',
        '-d',
        '--name',
        'same',
        '-p',
        '127.0.0.1::80',
        'hello',
        'httpd',
        '-f',
        '-p',
        '80',
      ]);
      expect(started.exitCode, started.stderr).toBe(0);
    }
    const subnets = await Promise.all(
      [one, two].map(
        async ({ socket }) =>
          (await docker(socket, ['network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', 'bridge'])).stdout,
      ),
    );
    expect(new Set(subnets).size).toBe(2);
    expect((await docker(one.socket, ['rm', '-f', 'same'])).exitCode).toBe(0);
    expect((await docker(two.socket, ['ps', '-q'])).stdout.trim()).toHaveLength(12);
  });

  it('says that the disk is full, loses nothing, and works again when there is room', async () => {
    const disk = mkdtempSync(path.join(os.tmpdir(), 'skiff-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
    try {
      await using engine = await startEngine({ flags: ['--data-root', path.join(disk, 'data')] });
      expect((await docker(engine.socket, ['run', '--name', 'before', 'hello', 'true'])).exitCode).toBe(0);
      fill(path.join(disk, 'filler'));
      const refused = await call(engine.socket, 'POST', '/containers/create', {
        Image: 'hello',
        Env: [`FILL=${'x'.repeat(200_000)}`],
      });
      expect(refused).toMatchObject({ status: 500, text: expect.stringContaining('no space left on device') });
      rmSync(path.join(disk, 'filler'));
      expect((await docker(engine.socket, ['ps', '-a', '--format', '{{.Names}}'])).stdout).toBe('before\n');
      expect((await docker(engine.socket, ['run', '--rm', 'hello', 'true'])).exitCode).toBe(0);
      await engine.crash();
      await engine.start();
      expect((await docker(engine.socket, ['ps', '-a', '--format', '{{.Names}} {{.State}}'])).stdout).toBe(
        'before exited\n',
      );
    } finally {
      execFileSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    }
  });
});

/** Writes until nothing more goes in. */
function fill(file: string): void {
  const chunk = Buffer.alloc(64 * 1024);
  try {
    for (;;) writeFileSync(file, chunk, { flag: 'a' });
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
}
