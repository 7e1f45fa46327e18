import { MachineError } from '../machines.ts';
import { readIfThere } from '../store/atomic-file.ts';
import { keyFingerprint } from './keys.ts';
import type { KnownHost } from './known-hosts.ts';
import { findKnownHost } from './known-hosts.ts';
import { hostKeyAlgorithms, type HostKeyRule } from './pinned-host-key.ts';

/**
 * The first contact with a host that Skiff did not make: its key must be one that the user's known_hosts hold, or the one whose
 * fingerprint the user has named. From then on that one key is pinned.
 */
export interface FirstContact extends HostKeyRule {
  /** Public key line that the host proved itself with; asked after a connection. */
  readonly accepted: () => string;
}

export interface FirstContactOptions {
  readonly host: string;
  readonly port: number;
  /** The name by which known_hosts knows it, where that is another. */
  readonly alias: string | null;
  readonly knownHostsFiles: readonly string[];
  /** `SHA256:…`, `accept-new`, or null: only known_hosts count. */
  readonly wanted: string | null;
}

const usualTypes = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'];

export async function firstContact(options: FirstContactOptions): Promise<FirstContact> {
  const { host, port, alias, wanted } = options;
  const where = `${host}:${port}`;
  const texts = await Promise.all(options.knownHostsFiles.map((file) => readIfThere(file)));
  const known = knownAs(texts.filter((text) => text !== null).join('\n'), { host, port, alias });
  const types = known.keys.map(({ type }) => type).filter((type) => usualTypes.includes(type));
  let accepted: Buffer | null = null;
  return {
    // A host with several keys is asked for the one that is known.
    algorithms: (types.length > 0 ? [...new Set(types)] : usualTypes).flatMap(hostKeyAlgorithms),
    check(offered) {
      const refusal = refuse(offered, { known, wanted, where });
      if (refusal === null) accepted = offered;
      return refusal;
    },
    accepted() {
      if (accepted === null) throw new MachineError('internal', 'No host key has been accepted yet');
      const type = accepted.subarray(4, 4 + accepted.readUInt32BE(0)).toString();
      return `${type} ${accepted.toString('base64')}`;
    },
  };
}

function knownAs(
  text: string,
  where: { readonly host: string; readonly port: number; readonly alias: string | null },
): KnownHost {
  const { host, port, alias } = where;
  return findKnownHost(text, alias === null ? { host, port } : { host: alias, port: 22 });
}

function refuse(
  offered: Buffer,
  by: { readonly known: KnownHost; readonly wanted: string | null; readonly where: string },
): MachineError | null {
  const { known, wanted, where } = by;
  const fingerprint = keyFingerprint(offered);
  if (known.revoked.some(({ blob }) => blob.equals(offered)))
    return new MachineError(
      'host-key',
      `The host key of ${where} (${fingerprint}) is marked as revoked in known_hosts`,
    );
  if (known.keys.some(({ blob }) => blob.equals(offered)) || wanted === fingerprint) return null;
  const [expected] = known.keys;
  if (expected !== undefined)
    return new MachineError(
      'host-key',
      `The host key of ${where} is ${fingerprint}, but your known_hosts hold another for it (${keyFingerprint(expected.blob)}). ` +
        'Something else answers at that address; nothing was sent to it. If the host was made anew, take its old key out with `ssh-keygen -R`',
    );
  if (wanted === 'accept-new') return null;
  if (wanted !== null)
    return new MachineError('host-key', `The host key of ${where} is ${fingerprint}, not ${wanted} as was asked for`);
  return new MachineError(
    'host-key',
    `The host at ${where} is not known yet: its key is ${fingerprint}. If that is right, go on with --generic-host-key ${fingerprint}, or log in there once with ssh`,
  );
}
