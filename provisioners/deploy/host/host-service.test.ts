import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { isAlive } from '../../../test/peers/played-record.ts';
import { describeWith } from '../../../test/skip.ts';
import { hostPlace } from './host-place.ts';
import { serviceFiles } from './host-service.ts';

const within = { timeout: 30_000, interval: 20 };

/** Says which process it is, and takes its time to end. */
const engine = (pidFile: string): string => `#!/bin/sh
export SKIFF_RELEASE=here
exec /bin/sh -c 'trap "sleep 0.2; rm -f ${pidFile}; exit 0" TERM; echo $$ >${pidFile}; while :; do sleep 0.02; done'
`;

/** The supervisor runs under whatever `sh` a host has: dash on Debian, bash on Fedora, busybox's on Alpine. */
const shells = [['/bin/dash'], ['/bin/bash', '--posix'], ['/bin/busybox', 'sh']] as const;

for (const shell of shells)
  describeWith(['linux', { file: shell[0] }], `the supervisor of the engine under ${shell[0]}`, () => {
    let root: string;
    let pidFile: string;
    const started: ChildProcess[] = [];

    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), 'skiff-service-'));
      const place = hostPlace(root);
      pidFile = place.layout.enginePidFile;
      const run = join(place.layout.deployFolder, 'current/run');
      const files = [...serviceFiles(place, 'none'), { path: run, mode: '0755', content: engine(pidFile) }];
      for (const { path, content } of files) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content, { mode: 0o755 });
      }
      for (const folder of [dirname(pidFile), dirname(place.layout.engineLog)]) mkdirSync(folder, { recursive: true });
    });
    afterEach(async () => {
      for (const child of started.splice(0)) await ended(child, 'SIGTERM');
      rmSync(root, { recursive: true, force: true });
    });

    const start = (): ChildProcess => {
      const [program, ...words] = shell;
      const child = spawn(program, [...words, join(root, 'var/lib/skiff/service/engine-service')], { stdio: 'ignore' });
      started.push(child);
      return child;
    };
    const ended = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
      child.kill(signal);
      await exit;
    };
    const enginePid = (other = 0): Promise<number> =>
      vi.waitFor(() => {
        const pid = Number(readFileSync(pidFile, 'utf8'));
        expect(pid > 0 && pid !== other && isAlive(pid)).toBe(true);
        return pid;
      }, within);

    it('starts it again when it ends', async () => {
      start();
      const first = await enginePid();
      process.kill(first, 'SIGKILL');
      expect(await enginePid(first)).not.toBe(first);
    });

    it('is gone, by TERM, when the engine is', async () => {
      const supervisor = start();
      const pid = await enginePid();
      await ended(supervisor, 'SIGTERM');
      expect(isAlive(pid)).toBe(false);
      expect(existsSync(pidFile)).toBe(false);
    });

    // Once: a container's first process may take seconds to see that an orphan has ended.
    if (shell[0] === '/bin/busybox')
      it('ends the engine of one that was killed, before it starts its own', async () => {
        const killed = start();
        const orphan = await enginePid();
        await ended(killed, 'SIGKILL');
        expect(isAlive(orphan)).toBe(true);
        start();
        await enginePid(orphan);
        expect(isAlive(orphan)).toBe(false);
      });
  });
