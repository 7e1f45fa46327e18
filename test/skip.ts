import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, type TestContext } from 'vitest';

/** What a suite may need of the computer that it runs on. */
export type Need = 'linux' | 'root' | 'project quotas' | { readonly program: string } | { readonly file: string };

/**
 * The reason why a suite cannot run here, or null. Printed once beside the skipped suite, so that a run on a Mac or
 * without root says what it did not prove.
 */
export function lacking(needs: readonly Need[]): string | null {
  for (const need of needs) {
    if (need === 'linux' && process.platform !== 'linux') return `needs Linux, this is ${process.platform}`;
    if (need === 'root' && process.getuid?.() !== 0) return 'needs root';
    if (need === 'project quotas' && !hasQuotas()) return 'needs a kernel with CONFIG_QFMT_V2';
    if (typeof need !== 'object') continue;
    if ('file' in need && !existsSync(need.file)) return `needs the file ${need.file}`;
    if ('program' in need && !hasProgram(need.program)) return `needs the program ${need.program}`;
  }
  return null;
}

/** `describe` that runs where every need is met; elsewhere it is skipped and its title carries the reason. */
export function describeWith(needs: readonly Need[], title: string, body: () => void): void {
  const reason = lacking(needs);
  if (reason === null) describe(title, body);
  else {
    console.warn(`skipped: ${title}: ${reason}`);
    describe.skip(`${title} (${reason})`, body);
  }
}

/** Ends a test that finds out only now that it has nothing to prove here; the reason is printed. */
export function skipBecause(context: TestContext, reason: string): never {
  console.warn(`skipped: ${context.task.name}: ${reason}`);
  return context.skip(reason);
}

/** Part of the kernel, or a module of it. */
function hasQuotas(): boolean {
  if (/ v2_\w+quota\w*$/m.test(readFileSync('/proc/kallsyms', 'latin1'))) return true;
  return spawnSync('modinfo', ['quota_v2'], { stdio: 'ignore' }).status === 0;
}

function hasProgram(name: string): boolean {
  try {
    execFileSync(process.platform === 'win32' ? 'where' : 'which', [name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
