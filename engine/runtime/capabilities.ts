import { invalid } from '../model/errors.ts';

/** All capabilities in the order of their numbers (source: capabilities(7), linux/capability.h). */
export const allCapabilities: readonly string[] = [
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE',
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN',
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE',
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE',
].flatMap((names) => names.split(' ').map((name) => `CAP_${name}`));

/** What Docker gives a container: enough for the images that there are, nothing that reaches the host. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

export interface CapabilityChoice {
  readonly isPrivileged: boolean;
  /** With or without `CAP_`, in any case, or `ALL`. */
  readonly added: readonly string[];
  readonly dropped: readonly string[];
  /** Those that can be given at all. */
  readonly available: readonly string[];
}

/**
 * The capabilities of a container. `ALL` goes first whichever side it is on, so the order of the options does not matter:
 * `--cap-drop ALL --cap-add CHOWN` leaves one, `--cap-add ALL --cap-drop CHOWN` leaves all but one.
 */
export function chooseCapabilities(choice: CapabilityChoice): readonly string[] {
  if (choice.isPrivileged) return choice.available;
  const added = new Set(choice.added.map((name) => normalizeCapability('CapAdd', name)));
  const dropped = new Set(choice.dropped.map((name) => normalizeCapability('CapDrop', name)));
  let base = dropped.has('ALL') ? [] : defaultCapabilities;
  if (added.has('ALL')) base = choice.available;
  const chosen = new Set([...base.filter((name) => !dropped.has(name)), ...added]);
  chosen.delete('ALL');
  return allCapabilities.filter((name) => chosen.has(name) && (choice.available.includes(name) || added.has(name)));
}

/**
 * `CAP_…` in upper case, or `ALL`. Throws `invalid` in dockerd's words for a name that is none; `field`: where it came from,
 * `CapAdd` or `CapDrop`.
 */
export function normalizeCapability(field: string, given: string): string {
  const upper = given.toUpperCase();
  if (upper === 'ALL') return upper;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!allCapabilities.includes(name)) throw invalid(`invalid ${field}: unknown capability: ${JSON.stringify(name)}`);
  return name;
}

/** Throws `invalid` for capabilities that this engine cannot give, since it has not got them itself. */
export function assertAvailable(field: string, names: readonly string[], available: readonly string[]): void {
  for (const name of names) {
    if (name === 'ALL' || available.includes(name)) continue;
    throw invalid(
      `invalid ${field}: capability not supported by your kernel or not available in the current environment: ${JSON.stringify(name)}`,
    );
  }
}
