import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('./main.ts', import.meta.url));

it('a held agent ends with who started it, having touched nothing', async () => {
  const home = await mkdtemp(join(tmpdir(), 'skiff-held-agent-'));
  try {
    const agent = spawn(process.execPath, [program, '--home', home, '--machine', 'web', '--held'], {
      stdio: ['pipe', 'inherit', 'inherit'],
      timeout: 30_000,
    });
    agent.stdin.end();
    expect(await once(agent, 'exit')).toEqual([0, null]);
    expect(await readdir(home)).toEqual([]);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}, 40_000);
