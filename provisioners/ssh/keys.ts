import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { MachineError } from '../machines.ts';

/**
 * Ed25519 keys in OpenSSH's own forms, made without any program. The private form is described in OpenSSH's
 * PROTOCOL.key ("openssh-key-v1"), the public one in RFC 8709.
 */
export interface SshKeyPair {
  /** PEM text of "OPENSSH PRIVATE KEY", unencrypted: its file is 0600. */
  readonly privateKey: string;
  /** One line: `ssh-ed25519 AAAA… comment`, without a line end. */
  readonly publicKey: string;
}

const keyType = 'ssh-ed25519';

export function generateSshKeyPair(comment: string): SshKeyPair {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  if (jwk.d === undefined || jwk.x === undefined) throw new Error('Node exported an ed25519 key without its parts');
  const seed = Buffer.from(jwk.d, 'base64url');
  const point = Buffer.from(jwk.x, 'base64url');
  const publicBlob = Buffer.concat([sshString(keyType), sshString(point)]);
  // The same number twice tells a reader that it decrypted rightly.
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, publicBlob, sshString(Buffer.concat([seed, point])), sshString(comment)]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const one = Buffer.from([0, 0, 0, 1]);
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    sshString('none'),
    sshString('none'),
    sshString(''),
    one,
    sshString(publicBlob),
    sshString(Buffer.concat([secret, padding])),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  return {
    privateKey: ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n'),
    publicKey: `${keyType} ${publicBlob.toString('base64')} ${comment}`,
  };
}

/** The pair of a private key in the form that generateSshKeyPair writes. */
export function keyPairOf(privateKey: string, comment: string): SshKeyPair {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(privateKey)?.[1] ?? '';
  const bytes = Buffer.from(body, 'base64');
  // PROTOCOL.key: the magic; cipher, KDF and its options as strings; the number of keys; the public key as a string.
  let at = 'openssh-key-v1\0'.length;
  const next = (): Buffer => {
    const start = at + 4;
    if (start > bytes.length) throw new MachineError('internal', 'The private key of the machine is damaged');
    at = start + bytes.readUInt32BE(at);
    return bytes.subarray(start, at);
  };
  for (let strings = 0; strings < 3; strings++) next();
  at += 4;
  return { privateKey, publicKey: `${keyType} ${next().toString('base64')} ${comment}` };
}

/** The key itself out of a public key line, as it goes over the wire. */
export function publicKeyBlob(line: string): Buffer {
  const [type, encoded] = line.trim().split(/\s+/);
  const blob = Buffer.from(encoded ?? '', 'base64');
  // The blob begins with its type, which must be what the line says.
  if (type === undefined || !blob.subarray(0, 4 + type.length).equals(sshString(type))) {
    throw new MachineError('internal', 'The pinned host key is not a public key line');
  }
  return blob;
}

/** `SHA256:…`, as ssh and ssh-keygen show it. */
export function keyFingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** What OpenSSH's `UserKnownHostsFile` must say so that it too accepts this host key alone. */
export function knownHostsLine(options: {
  readonly host: string;
  readonly port: number;
  readonly alias: string;
  readonly publicKey: string;
}): string {
  const [type, encoded] = options.publicKey.trim().split(/\s+/);
  const place = options.port === 22 ? options.host : `[${options.host}]:${options.port}`;
  return `${place},${options.alias} ${type} ${encoded}\n`;
}

function sshString(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
