import { EngineError } from '../model/errors.ts';

/** A registry's refusal, with all that it says. */
export class RegistryError extends EngineError {
  readonly status: number;
  /** The first of its codes (`NAME_UNKNOWN`); empty when it told none. */
  readonly code: string;
  /** What belongs to that code. */
  readonly first: string;
  /** How long the registry wants not to be asked again; null when it does not say. */
  readonly retryAfterMs: number | null;

  constructor(facts: Pick<RegistryError, 'status' | 'code' | 'first' | 'message' | 'retryAfterMs'>) {
    super(facts.status === 401 ? 'unauthorized' : 'internal', facts.message);
    this.status = facts.status;
    this.code = facts.code;
    this.first = facts.first;
    this.retryAfterMs = facts.retryAfterMs;
  }
}
