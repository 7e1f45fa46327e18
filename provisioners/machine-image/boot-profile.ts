/**
 * How QEMU boots the machine image fastest and without fail, as measured (the figures are at the end of
 * resources/machine-image/README.md). The QEMU driver builds its arguments from it.
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
}

export const bootProfiles: Readonly<Record<Architecture, BootProfile>> = {
  amd64: { machine: 'q35', emulatedCpu: 'max', emulation: 'thread=multi', emulatedCommandLine: 'mitigations=off' },
  arm64: {
    machine: 'virt,gic-version=max',
    emulatedCpu: 'max',
    emulation: 'thread=multi',
    emulatedCommandLine: 'mitigations=off',
  },
};
