/**
 * The seed: the small read-only disk (`vdc`) through which this computer tells a machine who it is. It is a plain ustar
 * archive written raw, so any hypervisor that can attach a file as a disk can carry it and the guest needs no file system
 * driver for it. resources/machine-image/README.md describes it for those who write one by other means.
 */
import { MachineError } from '../machines.ts';
import { tarEnd, tarMember } from './tar.ts';

export type SeedNetwork =
  | {
      readonly mode: 'static';
      /** Address with prefix length: `10.0.2.15/24`. */
      readonly address: string;
      readonly gateway: string | null;
      readonly nameservers: readonly string[];
    }
  | { readonly mode: 'dhcp' };

export interface Seed {
  /** Name of the machine, as this computer knows it. */
  readonly name: string;
  /** A DNS label. */
  readonly hostname: string;
  readonly network: SeedNetwork;
  /** The host key that the machine keeps from its first boot on: OpenSSH's private format, and its one-line public form. */
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
  /** One-line public keys that may log in as root. */
  readonly authorizedKeys: readonly string[];
}

const address = /^[0-9a-fA-F.:]+$/;

/** The bytes of the disk. Same seed, same bytes. Throws `invalid-setting` for values that the guest could not read back. */
export function writeSeed(seed: Seed): Buffer {
  const machine = { format: 1, name: seed.name, hostname: seed.hostname, network: seed.network };
  const files: readonly (readonly [name: string, mode: number, text: string])[] = [
    ['machine.json', 0o644, `${JSON.stringify(machine, null, 2)}\n`],
    ['seed.env', 0o644, seedEnvironment(seed)],
    ['ssh_host_ed25519_key', 0o600, withNewline(seed.hostKey.privateKey)],
    ['ssh_host_ed25519_key.pub', 0o644, withNewline(seed.hostKey.publicKey)],
    ['authorized_keys', 0o600, seed.authorizedKeys.map(withNewline).join('')],
  ];
  if (seed.authorizedKeys.length === 0)
    throw new MachineError('invalid-setting', 'A machine needs at least one key that may log in.');
  const parts = files.flatMap(([name, mode, text]) => tarMember({ name, mode, data: Buffer.from(text) }));
  return Buffer.concat([...parts, tarEnd]);
}

/** The same facts as machine.json, for a shell to read: every value stands in single quotes and holds none. */
function seedEnvironment(seed: Seed): string {
  const { network } = seed;
  const isStatic = network.mode === 'static';
  const values = {
    SKIFF_SEED_FORMAT: '1',
    SKIFF_HOSTNAME: check('host name', seed.hostname, /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/),
    SKIFF_NETWORK_MODE: network.mode,
    SKIFF_ADDRESS: isStatic ? check('address', network.address, /^[0-9a-fA-F.:]+\/[0-9]{1,3}$/) : '',
    SKIFF_GATEWAY: isStatic && network.gateway !== null ? check('gateway', network.gateway, address) : '',
    SKIFF_NAMESERVERS: isStatic
      ? network.nameservers.map((server) => check('name server', server, address)).join(' ')
      : '',
  };
  return Object.entries(values)
    .map(([key, value]) => `${key}='${value}'\n`)
    .join('');
}

function check(what: string, value: string, pattern: RegExp): string {
  if (!pattern.test(value))
    throw new MachineError(
      'invalid-setting',
      `The machine's ${what} '${value}' is not one that a machine can be given.`,
    );
  return value;
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
