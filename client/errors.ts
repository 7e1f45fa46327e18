/** The engine answered and refused. The message is the engine's own, in Docker's words. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  /** HTTP status: 404 not found, 409 conflict, 400 bad request, … 500 also for what an answer says after it has begun. */
  readonly statusCode: number;

  constructor(statusCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.statusCode = statusCode;
  }
}

/** The engine had answered well and then reported, in the answer, that what it was doing failed. */
export class ReportedError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(500, message, options);
  }
}

/**
 * Why there is no answer: `connect` no stream could be opened; `lost` it ended before the answer was whole; `timeout` the
 * engine stayed silent; `protocol` what came is no answer of an engine; `incompatible` it is too old for this client;
 * `closed` the client itself has been closed.
 */
export type UnreachableCode = 'connect' | 'lost' | 'timeout' | 'protocol' | 'incompatible' | 'closed';

/** No (whole) answer came from the engine. Whether a request that changes something took effect is unknown, but for `connect`. */
export class EngineUnreachable extends Error {
  override readonly name = 'EngineUnreachable';
  readonly code: UnreachableCode;

  constructor(code: UnreachableCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What to throw for an error of a connection: the reason of an abort where there was one, else EngineUnreachable. */
export function explain(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof EngineUnreachable || error instanceof EngineError) return error;
  const isNoHttp = error instanceof Error && 'code' in error && String(error.code).startsWith('HPE_');
  const message = `${isNoHttp ? 'what answered is not an engine' : 'the connection to the engine was lost'}: ${messageOf(error)}`;
  return new EngineUnreachable(isNoHttp ? 'protocol' : 'lost', message, { cause: error });
}

/** Aborted by the caller, not by the client's own closing or timeout. */
export function isEndedByCaller(signal: AbortSignal): boolean {
  return signal.aborted && !(signal.reason instanceof EngineUnreachable);
}
