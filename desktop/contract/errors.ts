/**
 * The closed catalogue of what can go wrong between the page and the desktop's core. `code` is for programs and stays
 * as it is; `message` is for the person in front of the screen and says what to do next.
 */
import { z } from './zod.ts';

const errorCodes = [
  // Of the protocol itself: any call may end with one of these.
  'invalid-input',
  'unknown-method',
  'cancelled',
  'timeout',
  'disconnected',
  'internal',
  // Of machines; the same words as provisioners/machines.ts.
  'no-such-machine',
  'name-taken',
  'invalid-name',
  'invalid-setting',
  'no-such-driver',
  'driver-unavailable',
  'already-running',
  'already-stopped',
  'not-running',
  'not-supported',
  'no-such-snapshot',
  'login-refused',
  'host-key',
  'quota',
  'busy',
  'no-space',
  'image-unavailable',
  'image-corrupt',
  'boot-failed',
  'ssh-failed',
  'deploy-failed',
  'aborted',
  // Of an engine.
  'engine-unreachable',
  'engine-refused',
  'no-such-container',
  'no-such-image',
  'conflict',
] as const;

const errorCode = z.enum(errorCodes);
export type ErrorCode = z.infer<typeof errorCode>;

/** Any call may answer with these, so no method lists them. */
export const commonErrors: readonly ErrorCode[] = [
  'invalid-input',
  'unknown-method',
  'cancelled',
  'timeout',
  'disconnected',
  'internal',
];

export const errorShape = z.object({ code: errorCode, message: z.string() });
export type ErrorShape = z.infer<typeof errorShape>;

export class DesktopError extends Error {
  override readonly name = 'DesktopError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
