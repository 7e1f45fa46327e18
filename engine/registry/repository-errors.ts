/** A registry's refusal as dockerd tells it, which is not the same for a pull, a push and a look (source: moby, distribution/errors.go). */
import { familiarName, familiarReference, type Reference } from '../images/reference.ts';
import { EngineError } from '../model/errors.ts';
import { RegistryError } from './registry-error.ts';

export type Purpose = 'pull' | 'push' | 'inspect';

/** No credentials for a registry that wants them, or wrong ones: the request was not sent. */
export class ProofError extends EngineError {
  /** Without the request that it was for. */
  readonly bare: string;

  constructor(
    facts: { readonly kind: EngineError['kind']; readonly request: string; readonly bare: string },
    cause?: unknown,
  ) {
    super(facts.kind, `${facts.request}: ${facts.bare}`, { cause });
    this.bare = facts.bare;
  }
}

/** The error to throw instead. `reference`: with the tag or digest that was asked for. */
export function repositoryError(error: unknown, purpose: Purpose, reference: Reference): unknown {
  switch (purpose) {
    case 'pull':
      return error instanceof RegistryError ? pullError(error, reference) : error;
    case 'push':
      return pushError(error);
    case 'inspect':
      return error instanceof RegistryError ? inspectError(error) : error;
  }
}

function pullError(error: RegistryError, reference: Reference): EngineError {
  const name = familiarName(reference);
  const notFoundBecause = (what: string): EngineError =>
    new EngineError('not-found', `${what}: ${error.first}`, { cause: error });
  switch (error.code) {
    case 'DENIED':
      return notFoundBecause(`pull access denied for ${name}, repository does not exist or may require 'docker login'`);
    case 'MANIFEST_UNKNOWN':
      return notFoundBecause(`manifest for ${familiarReference(reference)} not found`);
    case 'NAME_UNKNOWN':
      return notFoundBecause(`repository ${name} not found`);
    case '':
      return error.status === 404 ? notFoundBecause(`manifest for ${familiarReference(reference)} not found`) : error;
    default:
      return error;
  }
}

function pushError(error: unknown): unknown {
  if (error instanceof ProofError) return new EngineError(error.kind, error.bare, { cause: error });
  if (error instanceof RegistryError && error.first !== error.message)
    return new EngineError(error.kind, error.first, { cause: error });
  return error;
}

function inspectError(error: RegistryError): EngineError {
  const kinds: Readonly<Record<string, EngineError['kind']>> = {
    DENIED: 'forbidden',
    MANIFEST_UNKNOWN: 'not-found',
    NAME_UNKNOWN: 'not-found',
  };
  const kind = kinds[error.code] ?? (error.code === '' && error.status === 404 ? 'not-found' : error.kind);
  return new EngineError(kind, error.message, { cause: error });
}
