/**
 * Which of QEMU's accelerators works on this computer: where one starts guests and never runs them, to find that out takes longer than a
 * boot. Only the first suite of a run that makes a machine as people do finds it out; the others are told.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { homePaths } from '../../provisioners/store/home.ts';
import { makePrivateFolder, readIfThere, writeFileAtomic } from '../../provisioners/store/atomic-file.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the suites of a run tell each other what they know; a file that may not be there. */
    readonly knownAccelerators: string;
  }
}

export default function setup({ provide }: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'skiff-accelerators-'));
  provide('knownAccelerators', join(folder, 'qemu.json'));
  return () => rmSync(folder, { recursive: true });
}

/** Before the first machine of a home is started. */
export async function learnAccelerators(home: string): Promise<void> {
  const known = await readIfThere(inject('knownAccelerators'));
  await makePrivateFolder(home);
  if (known !== null) await writeFileAtomic(homePaths(home).qemuMemory, known);
}

/** After the first machine of a home was started. */
export async function tellAccelerators(home: string): Promise<void> {
  const known = await readIfThere(homePaths(home).qemuMemory);
  if (known !== null) await writeFileAtomic(inject('knownAccelerators'), known);
}
