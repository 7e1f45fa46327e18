import { readFile } from 'node:fs/promises';
import type { Access, DriverMachine, SshAccess, SshJump } from '../drivers/driver.ts';
import type { Line } from '../line/line.ts';
import { LocalLine } from '../line/local-line.ts';
import { MachineError } from '../machines.ts';
import type { SshKeyPair } from '../ssh/keys.ts';
import { generateSshKeyPair, keyPairOf } from '../ssh/keys.ts';
import { ownLogins } from '../ssh/own-logins.ts';
import type { SshTarget } from '../ssh/ssh-connection.ts';
import { pinnedHostKey } from '../ssh/pinned-host-key.ts';
import { connectSsh, pinnedTarget } from '../ssh/ssh-connection.ts';
import { readIfThere, writeFileAtomic } from '../store/atomic-file.ts';
import type { MachinePaths } from '../store/home.ts';

/** The keys of one machine: with which this computer logs in, and with which the machine proves that it is itself. */
export interface MachineKeys {
  readonly identity: SshKeyPair;
  readonly host: SshKeyPair;
}

type KeyPaths = Pick<MachinePaths, 'identity' | 'hostKey'>;

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
      // The private one counts: a renewal that was cut off may have left the public one behind.
      return keyPairOf(privateKey, publicKey.trim().split(' ').slice(2).join(' '));
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

/** For calls of a driver that may have to log in, also to a machine whose creation ended before it had keys. */
export async function keysIfThere(paths: KeyPaths): Promise<Pick<DriverMachine, 'keys' | 'image'>> {
  if ((await readIfThere(paths.identity)) === null || (await readIfThere(paths.hostKey)) === null) return withoutKeys;
  return { keys: await readKeys(paths), image: null };
}

const noKey = { privateKey: '', publicKey: '' };

/** For calls of a driver that neither boot nor log in. */
export const withoutKeys: Pick<DriverMachine, 'keys' | 'image'> = {
  keys: { identity: noKey, host: noKey },
  image: null,
};

/** How a machine is logged into with its own key; hosts on the way are entered with the user's own agent and keys. */
export async function sshTarget(access: SshAccess, keys: MachineKeys): Promise<SshTarget> {
  const { host, port, user, jumps } = access;
  const hostKey = access.hostKey ?? keys.host.publicKey;
  const target = pinnedTarget({ host, port, user, privateKey: keys.identity.privateKey, hostKey });
  if (jumps.length === 0) return target;
  const via = await jumpTarget(jumps);
  return via === null ? target : { ...target, via };
}

async function jumpTarget(jumps: readonly SshJump[]): Promise<SshTarget | null> {
  const logins = await ownLogins(process.env);
  let via: SshTarget | null = null;
  for (const { host, port, user, hostKey } of jumps) {
    const rule = pinnedHostKey(hostKey, `${host}:${port}`);
    via = { host, port, user, logins, hostKey: rule, ...(via === null ? {} : { via }) };
  }
  return via;
}

/** Opens the line to a machine; over SSH it is tried until `deadlineMs` has passed. */
export async function openLine(
  access: Access,
  options: { readonly keys: MachineKeys; readonly signal: AbortSignal; readonly deadlineMs: number },
): Promise<Line> {
  const { keys, signal, deadlineMs } = options;
  if (access.kind === 'this-computer') return new LocalLine();
  return await connectSsh(await sshTarget(access, keys), { signal, deadlineMs });
}
