import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Computer } from '../vm/find-program.ts';
import { findProgram } from '../vm/find-program.ts';
import { windowsFolder } from '../vm/windows-folder.ts';

const runProgram = promisify(execFile);

/**
 * The IPv4 addresses at which this computer knows a network card, as its table of neighbours has them. The guest cannot be asked: it
 * has no daemon of Hyper-V's. But it makes itself known to its gateway, which on the Default Switch is this computer.
 */
export async function neighboursOf(
  mac: string,
  run: { readonly computer: Computer; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const { computer, signal } = run;
  // No PowerShell: this is asked often, and that takes a second to begin.
  const arp = (await findProgram('arp', { computer, usual: [windowsFolder(computer, 'System32')] })) ?? 'arp.exe';
  const options = { timeout: 10_000, signal, windowsHide: true, env: { ...computer.environment } };
  const { stdout } = await runProgram(arp, ['-a'], options);
  return parseNeighbours(stdout, mac);
}

/** Rows are an address, a card and a kind; headings and kinds are in the user's language. */
export function parseNeighbours(text: string, mac: string): readonly string[] {
  const rows = text.matchAll(/^\s*(\d{1,3}(?:\.\d{1,3}){3})\s+((?:[0-9a-f]{2}-){5}[0-9a-f]{2})\b/gim);
  return [...rows].flatMap(([, address, card]) =>
    address !== undefined && card?.toUpperCase() === mac ? [address] : [],
  );
}
