import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Runs `work` while an attacker exchanges two names of a directory; returns how often it did meanwhile. */
export async function whileSwapping(
  what: { readonly folder: string; readonly one: string; readonly other: string },
  work: () => Promise<void>,
): Promise<number> {
  const program = fileURLToPath(new URL('./swapper.ts', import.meta.url));
  const attacker = spawn(process.execPath, [program, what.folder, what.one, what.other], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 120_000,
  });
  let said = '';
  const begun = new Promise<void>((resolve, reject) => {
    attacker.once('error', reject);
    attacker.once('close', () => reject(new Error(`the attacker ended too early: ${said}`)));
    attacker.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      resolve();
    });
  });
  const ended = new Promise((resolve) => attacker.once('close', resolve));
  try {
    await begun;
    await work();
  } finally {
    attacker.stdin.end();
    await ended;
  }
  return Number(said.replace('swapping\n', ''));
}
