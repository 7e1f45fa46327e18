/**
 * Everything that can go wrong in the engine, by meaning. Rooms throw these; `engine/http/` alone turns them into status
 * codes. Messages are Docker's own wherever clients match the text. Nobody branches on a message.
 */
export type ErrorKind =
  /** 404 */
  | 'not-found'
  /** 400 */
  | 'invalid'
  /** 409 */
  | 'conflict'
  /** 304: asked for a state that is already there */
  | 'not-modified'
  /** 403 */
  | 'forbidden'
  /** 401 */
  | 'unauthorized'
  /** 503 */
  | 'unavailable'
  /** 501 */
  | 'not-implemented'
  /** 500: nothing the caller did */
  | 'internal';

export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export const notFound = (message: string): EngineError => new EngineError('not-found', message);
export const invalid = (message: string, options?: ErrorOptions): EngineError =>
  new EngineError('invalid', message, options);
export const conflict = (message: string): EngineError => new EngineError('conflict', message);
export const forbidden = (message: string): EngineError => new EngineError('forbidden', message);
export const notModified = (message: string): EngineError => new EngineError('not-modified', message);
export const notImplemented = (message: string): EngineError => new EngineError('not-implemented', message);
export const internal = (message: string, options?: ErrorOptions): EngineError =>
  new EngineError('internal', message, options);
