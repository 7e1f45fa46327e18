/** The one place where errors of machines and engines become errors of the desktop's catalogue. */
import { EngineError, EngineUnreachable } from '../../client/errors.ts';
import { MachineError } from '../../provisioners/machines.ts';
import { DesktopError, type ErrorCode, type ErrorShape } from '../contract/errors.ts';

export function desktopError(error: unknown): DesktopError {
  if (error instanceof DesktopError) return error;
  if (error instanceof MachineError) return new DesktopError(error.code, error.message, { cause: error });
  if (error instanceof EngineError) return new DesktopError(codeOf(error), error.message, { cause: error });
  if (error instanceof EngineUnreachable) {
    return new DesktopError('engine-unreachable', error.message, { cause: error });
  }
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')) {
    return new DesktopError(error.name === 'AbortError' ? 'cancelled' : 'timeout', error.message, { cause: error });
  }
  return new DesktopError('internal', error instanceof Error ? error.message : String(error), { cause: error });
}

export function errorShapeOf(error: unknown): ErrorShape {
  const { code, message } = desktopError(error);
  return { code, message };
}

/** The status says the kind; of what kind the missing thing is, only the engine's words tell, which are Docker's. */
function codeOf({ statusCode, message }: EngineError): ErrorCode {
  if (statusCode === 404) return /no such image/i.test(message) ? 'no-such-image' : 'no-such-container';
  return statusCode === 409 ? 'conflict' : 'engine-refused';
}
