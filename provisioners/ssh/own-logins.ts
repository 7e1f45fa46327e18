import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isErrno } from '../store/atomic-file.ts';
import type { SshLogin } from './ssh-connection.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** OpenSSH's own order; keys that live in hardware answer through the agent alone. */
const keyNames = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const;

/** How the user logs in everywhere: the agent first, then the key files of ~/.ssh that need no passphrase. */
export async function ownLogins(
  environment: Environment,
  folder: string = join(environment['HOME'] ?? homedir(), '.ssh'),
): Promise<readonly SshLogin[]> {
  const logins: SshLogin[] = [...agentLogins(environment)];
  for (const name of keyNames) {
    const privateKey = await readKey(join(folder, name));
    if (privateKey !== null && !isEncrypted(privateKey)) logins.push({ kind: 'key', privateKey });
  }
  return logins;
}

export function agentLogins(environment: Environment): readonly SshLogin[] {
  const socket = environment['SSH_AUTH_SOCK'];
  return socket === undefined || socket === '' ? [] : [{ kind: 'agent', socket }];
}

/** Whether a private key file wants a passphrase: PEM says it in words, OpenSSH's own form in the cipher's name. */
export function isEncrypted(privateKey: string): boolean {
  if (/ENCRYPTED/.test(privateKey)) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(privateKey)?.[1];
  if (body === undefined) return false;
  const bytes = Buffer.from(body, 'base64');
  // PROTOCOL.key: "openssh-key-v1\0", then the cipher's name as a string.
  const start = 'openssh-key-v1\0'.length;
  return bytes.subarray(start + 4, start + 4 + bytes.readUInt32BE(start)).toString() !== 'none';
}

async function readKey(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EACCES') || isErrno(error, 'ENOTDIR')) return null;
    throw error;
  }
}
