import { createHash } from 'node:crypto';
import { z } from 'zod';
import { readIfThere, writeFileAtomic } from '../../store/atomic-file.ts';
import type { Computer } from '../vm/find-program.ts';

/**
 * Which accelerator and CPU model a guest gets. That a device such as /dev/kvm exists says little: nested hosts refuse
 * single registers, or let a guest start and never run. So candidates are tried with the machine itself, best first, and
 * what a guest came up with is remembered for this QEMU, processor and kernel.
 */
export interface Accelerator {
  readonly name: 'kvm' | 'hvf' | 'whpx' | 'tcg';
  /** As in `-cpu`; under emulation the boot profile of the image names the model. */
  readonly cpu: string;
}

export interface AcceleratorMemory {
  readonly chosen: Accelerator | null;
  /** For people: why faster ones were passed over. */
  readonly passedOver: readonly string[];
}

export function acceleratorCandidates(computer: Pick<Computer, 'platform' | 'arch'>): readonly Accelerator[] {
  const tcg: Accelerator = { name: 'tcg', cpu: 'emulated' };
  const isX86 = computer.arch === 'x64';
  switch (computer.platform) {
    case 'linux': {
      // MSR_IA32_ARCH_CAPABILITIES (0x10a) is refused by some nested hosts, on which plain `host` aborts.
      const models = isX86 ? ['host', 'host,-arch-capabilities', 'max,-arch-capabilities'] : ['host'];
      return [...models.map((cpu): Accelerator => ({ name: 'kvm', cpu })), tcg];
    }
    case 'darwin':
      return [{ name: 'hvf', cpu: 'host' }, tcg];
    case 'win32':
      // `host` does not start under WHPX (QEMU issue 513); qemu64 does everywhere.
      return isX86 ? [{ name: 'whpx', cpu: 'max' }, { name: 'whpx', cpu: 'qemu64' }, tcg] : [tcg];
    default:
      return [tcg];
  }
}

export function describeAccelerator(accelerator: Accelerator): string {
  return accelerator.name === 'tcg'
    ? 'tcg (emulation: slow, one processor)'
    : `${accelerator.name}, cpu ${accelerator.cpu}`;
}

/** One line for all that decides which accelerator works; a new QEMU, kernel or processor asks the question again. */
export function computerKey(parts: {
  readonly qemu: string;
  readonly kernel: string;
  readonly processor: string;
  readonly arch: string;
}): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** As it is written down. */
export const accelerator = z.object({ name: z.enum(['kvm', 'hvf', 'whpx', 'tcg']), cpu: z.string() });

const memorySchema = z.record(
  z.string(),
  z.object({
    chosen: accelerator.nullable(),
    passedOver: z.array(z.string()),
  }),
);

/** What was found out on this computer, in one file for all machines. A file that cannot be read is only a lost memory. */
export async function recallAccelerator(path: string, key: string): Promise<AcceleratorMemory | null> {
  return (await readMemory(path))[key] ?? null;
}

export async function rememberAccelerator(path: string, key: string, memory: AcceleratorMemory): Promise<void> {
  const all = await readMemory(path);
  all[key] = { chosen: memory.chosen, passedOver: [...memory.passedOver] };
  await writeFileAtomic(path, `${JSON.stringify(all, null, 2)}\n`);
}

async function readMemory(path: string): Promise<z.infer<typeof memorySchema>> {
  const text = await readIfThere(path);
  if (text === null) return {};
  try {
    return memorySchema.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
