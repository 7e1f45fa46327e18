import type { ServerHostKeyAlgorithm } from 'ssh2';
import { MachineError } from '../machines.ts';
import { publicKeyBlob } from './keys.ts';
import { hostKeyMismatch } from './ssh-error.ts';

/** Which host key is accepted. */
export interface HostKeyRule {
  /** As the key exchange names them, best first. */
  readonly algorithms: readonly ServerHostKeyAlgorithm[];
  /** Null when it is the right one; else what to tell. */
  readonly check: (offered: Buffer) => MachineError | null;
}

/** Accepts the one key of a public key line. */
export function pinnedHostKey(line: string, where: string): HostKeyRule {
  const expected = publicKeyBlob(line);
  const type = line.trim().split(/\s+/)[0] ?? '';
  return {
    algorithms: hostKeyAlgorithms(type),
    check: (offered) => (offered.equals(expected) ? null : hostKeyMismatch({ where, expected, offered })),
  };
}

/** A key of this type proves itself by these signatures; SHA-1 is not among them. */
export function hostKeyAlgorithms(type: string): readonly ServerHostKeyAlgorithm[] {
  switch (type) {
    case 'ssh-ed25519':
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521':
      return [type];
    case 'ssh-rsa':
      return ['rsa-sha2-512', 'rsa-sha2-256'];
    default:
      throw new MachineError('host-key', `Host keys of the type ${type} are not known here`);
  }
}
