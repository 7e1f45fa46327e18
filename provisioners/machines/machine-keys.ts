import { readFile } from 'node:fs/promises';
import { MachineError } from '../machines.ts';
import type { SshKeyPair } from '../ssh/keys.ts';
import { generateSshKeyPair } from '../ssh/keys.ts';
import type { SshTarget } from '../ssh/ssh-connection.ts';
import { readIfThere, writeFileAtomic } from '../store/atomic-file.ts';
import type { MachinePaths } from '../store/home.ts';

/** The keys of one machine: with which this computer logs in, and with which the machine proves that it is itself. */
export interface MachineKeys {
  readonly identity: SshKeyPair;
  readonly host: SshKeyPair;
}

type KeyPaths = Pick<MachinePaths, 'identity' | 'hostKey'>;

/** Everybody logs in as root: whoever holds the key of a machine owns all of it, the engine's socket included. */
export const machineUser = 'root';

/** Makes the keys that are not there yet. The public half is written first: a private key that is there is complete. */
export async function provideKeys(paths: KeyPaths, name: string): Promise<MachineKeys> {
  for (const [path, comment] of [
    [paths.identity, `skiff ${name}`],
    [paths.hostKey, `skiff host ${name}`],
  ] as const) {
    if ((await readIfThere(path)) !== null) continue;
    const pair = generateSshKeyPair(comment);
    await writeFileAtomic(`${path}.pub`, `${pair.publicKey}\n`);
    await writeFileAtomic(path, pair.privateKey);
  }
  return readKeys(paths);
}

export async function readKeys(paths: KeyPaths): Promise<MachineKeys> {
  const pair = async (path: string): Promise<SshKeyPair> => {
    try {
      const [privateKey, publicKey] = await Promise.all([readFile(path, 'utf8'), readFile(`${path}.pub`, 'utf8')]);
      return { privateKey, publicKey: publicKey.trim() };
    } catch (cause) {
      throw new MachineError(
        'internal',
        `The key ${path} of the machine cannot be read; without it nobody can log in`,
        { cause },
      );
    }
  };
  const [identity, host] = await Promise.all([pair(paths.identity), pair(paths.hostKey)]);
  return { identity, host };
}

export function sshTarget(address: { readonly host: string; readonly port: number }, keys: MachineKeys): SshTarget {
  return { ...address, user: machineUser, privateKey: keys.identity.privateKey, hostKey: keys.host.publicKey };
}
