import { readFileSync } from 'node:fs';

/** What the kernel calls its run since the computer was started; another after each start. Source: random(4). */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
