import { MachineError } from '../machines.ts';
import { keyFingerprint } from './keys.ts';

/** No retry cures it: the machine does not prove its identity, or does not let this computer in. */
export class SshRefusal extends MachineError {
  constructor(message: string, options?: ErrorOptions & { readonly code?: 'ssh-failed' | 'host-key' }) {
    super(options?.code ?? 'ssh-failed', message, options);
  }
}

/** Refusals that no retry cures are told apart from a machine that is not up yet. */
export interface ConnectFailure {
  readonly error: MachineError;
  readonly isFinal: boolean;
}

export function connectFailure(
  cause: unknown,
  of: { readonly where: string; readonly isFirstLogin: boolean },
): ConnectFailure {
  const { where } = of;
  if (cause instanceof MachineError) return { error: cause, isFinal: true };
  const level = cause instanceof Error && 'level' in cause ? cause.level : null;
  const text = cause instanceof Error ? toldBy(cause) : String(cause);
  if (level === 'client-authentication' && of.isFirstLogin) {
    const message = `The host at ${where} refused the login: none of the keys, agents or passwords that were given is let in there. Give another key (--generic-ssh-key), user (--generic-ssh-user) or password (GENERIC_SSH_PASSWORD)`;
    return { error: new MachineError('login-refused', message, { cause }), isFinal: true };
  }
  if (level === 'client-authentication') {
    const message = `The machine at ${where} refused this computer's SSH key: its authorized_keys do not hold the key of this machine's folder`;
    return { error: new SshRefusal(message, { cause }), isFinal: true };
  }
  if (of.isFirstLogin) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const message =
      `SSH to ${where} failed: ${text}. ` +
      'Are its address (--generic-ip-address) and port (--generic-ssh-port) right, and does its SSH server run?';
    // A machine of ours may still be booting; a host that somebody names is there, or it is not.
    return { error: new MachineError('ssh-failed', message, { cause }), isFinal: nobodyThere.has(code) };
  }
  return { error: new MachineError('ssh-failed', `SSH to ${where} failed: ${text}`, { cause }), isFinal: false };
}

const nobodyThere: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);

/** A name with several addresses fails with an error for each, and no words of its own. */
function toldBy(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return first instanceof Error ? first.message : error.message;
}

export function hostKeyMismatch(options: {
  readonly where: string;
  readonly expected: Uint8Array;
  readonly offered: Uint8Array;
}): MachineError {
  const { where, expected, offered } = options;
  return new SshRefusal(
    `The host key at ${where} is not the one this machine was made with (expected ${keyFingerprint(expected)}, got ${keyFingerprint(offered)}). ` +
      'Something else answers at that address; nothing was sent to it. If you replaced the machine yourself, remove it with `skiff machine rm` and create it again.',
    { code: 'host-key' },
  );
}
