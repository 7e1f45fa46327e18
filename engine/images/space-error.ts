import { internal } from '../model/errors.ts';

/** A full disk in words that say so; any other error as it is. `purpose`: what the space was for. */
export function spaceError(error: unknown, purpose: string): unknown {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT'))
    return internal(`no space left on device ${purpose}: ${error.message}`, { cause: error });
  return error;
}
