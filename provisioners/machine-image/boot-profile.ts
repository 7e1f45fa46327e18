/**
 * How QEMU boots the machine image fastest and without fail, as measured (figures in resources/machine-image/README.md).
 * The QEMU driver builds its arguments from it.
 */
import type { Architecture } from './recipe.ts';

export interface BootProfile {
  /** Value of `-machine`. */
  readonly machine: string;
  /** Value of `-cpu` under emulation; with hardware acceleration the driver passes the host's through. */
  readonly emulatedCpu: string;
  /** Properties of `-accel tcg`. */
  readonly emulation: string;
  /** Added to the image's command line under emulation. */
  readonly emulatedCommandLine: string;
  /**
   * The device by which a guest that goes on from kept memory (drivers/qemu/prepared-start.ts) learns of that, whereupon its kernel makes
   * its random numbers anew. Null where the machine type has none: such a start is not prepared.
   */
  readonly generationDevice: string | null;
}

/**
 * Parts of Debian's kernel that compute for a while when they start and that a machine does not use: 0.3 s of an emulated
 * boot. What is lost: one source of randomness for kernel cryptography (the processor's own and the hypervisor's remain); the
 * certificates for signed modules (there are none in the image); names of constants in the formats of trace events;
 * a check of function tracing's table.
 */
const unusedKernelStarts = [
  'jent_mod_init',
  'load_system_certificate_list',
  'trace_eval_init',
  'ftrace_check_for_weak_functions',
  'crypto_kdf108_init',
] as const;

export const bootProfiles: Readonly<Record<Architecture, BootProfile>> = {
  amd64: {
    machine: 'q35,vmport=off,smbus=off,sata=off,usb=off',
    // `max` has what today's images want (x86-64-v3), but its five-level page tables make every emulated page walk longer,
    // and where a processor says that it has quick string moves (erms), Linux and the C library copy by an instruction that
    // QEMU emulates byte by byte: half a second of a boot.
    emulatedCpu: 'max,la57=off,erms=off',
    // One thread for all processors. With a thread each (`multi`), QEMU can go on running code that the other processor has
    // just changed; Linux changes its own code while it runs (static keys), and then dies of a breakpoint that is no longer
    // there ("Oops: int3"). QEMU 7.2 does so within seconds of such changes, QEMU 10.0 within a minute. It is no
    // slower: the processors of a booting machine mostly wait for each other.
    emulation: 'thread=single',
    // An emulated processor does not speculate; the kernel's guards against that cost it a tenth of its time. The rest is for
    // computers so busy that the emulated one stands still for a moment while Linux measures time at its start: the check
    // of the timer then fails ("IO-APIC + timer doesn't work!"), and a wrongly measured TSC makes clocks run too fast.
    // The HPET's rate is fixed, so nothing is measured; nor is that of the APIC's timer (0.1 s), for the HPET's does it as well.
    // With one processor Linux would take the lock prefixes out of its own code: ten thousand changes of code that QEMU has
    // translated already (0.2 s), and an emulated processor gains nothing by it.
    // QEMU 7 translates a library again for each address at which a process has it (0.2 s), so addresses are the same until the engine
    // is up; boot-rest has them differ from then on, before any container runs.
    emulatedCommandLine: `mitigations=off no_timer_check tsc=unstable clocksource=hpet nolapic_timer noreplace-smp norandmaps initcall_blacklist=${unusedKernelStarts.join(',')}`,
    generationDevice: 'vmgenid,guid=auto',
  },
  arm64: {
    machine: 'virt,gic-version=max',
    emulatedCpu: 'max,lpa2=off',
    emulation: 'thread=single',
    emulatedCommandLine: 'mitigations=off',
    generationDevice: null,
  },
};
