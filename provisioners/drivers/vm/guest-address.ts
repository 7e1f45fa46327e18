import { readIfThere } from '../../store/atomic-file.ts';

/** A machine on a hypervisor's own network tells the address that it was given on its console: `skiff-boot: address 192.168.64.5`. */
const addressLine = /^skiff-boot: address (\d{1,3}(?:\.\d{1,3}){3})\s*$/gm;

/** The newest of them; null when there is none yet. */
export async function toldAddress(serialLog: string): Promise<string | null> {
  const console = (await readIfThere(serialLog)) ?? '';
  return [...console.matchAll(addressLine)].at(-1)?.[1] ?? null;
}
