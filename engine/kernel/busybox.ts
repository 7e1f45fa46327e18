import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isCode } from './files.ts';

const timeoutMs = 5_000;
const programInterpreter = 3;

export type BusyboxFinding =
  | { readonly kind: 'found'; readonly applets: readonly string[] }
  /** Why it cannot be used, for a person. */
  | { readonly kind: 'unusable'; readonly reason: string };

/**
 * What the busybox at `path` can do. Only a static one is of use in an image: another needs the host's libraries. The
 * program is run (`--list`), since nothing else says which applets it was built with.
 */
export async function inspectBusybox(path: string): Promise<BusyboxFinding> {
  try {
    if (await isDynamic(path)) {
      return { kind: 'unusable', reason: `${path} is not linked statically: install the package busybox-static` };
    }
    const { stdout } = await promisify(execFile)(path, ['--list'], { timeout: timeoutMs, env: {} });
    const applets = stdout.split('\n').filter((name) => /^[a-z0-9_.[-]+$/i.test(name));
    return { kind: 'found', applets: applets.sort() };
  } catch (error) {
    if (isCode(error, 'ENOENT'))
      return { kind: 'unusable', reason: `${path} is not there: install the package busybox-static` };
    return {
      kind: 'unusable',
      reason: `${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** Whether an ELF program of 64 bits asks for a dynamic loader (source: elf(5), PT_INTERP). */
async function isDynamic(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  const { buffer: header } = await file.read(Buffer.alloc(64), 0, 64, 0);
  if (header.toString('latin1', 0, 4) !== '\x7fELF' || header[4] !== 2) throw new Error('it is no 64-bit ELF program');
  const [start, size, count] = [Number(header.readBigUInt64LE(32)), header.readUInt16LE(54), header.readUInt16LE(56)];
  const { buffer: table } = await file.read(Buffer.alloc(size * count), 0, size * count, start);
  return Array.from({ length: count }, (_, index) => table.readUInt32LE(index * size)).includes(programInterpreter);
}
