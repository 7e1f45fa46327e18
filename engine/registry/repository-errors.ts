/** A registry's refusal of a pull, as dockerd tells it (source: moby, distribution/errors.go). */
import { familiarName, familiarReference, type Reference } from '../images/reference.ts';
import { EngineError } from '../model/errors.ts';
import { RegistryError } from './answers.ts';

/** The error to throw instead. `reference`: with the tag or digest that was asked for. */
export function pullError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const name = familiarName(reference);
  switch (error.code) {
    case 'DENIED':
      return notFoundBecause(
        error,
        `pull access denied for ${name}, repository does not exist or may require 'docker login': ${error.message}`,
      );
    case 'MANIFEST_UNKNOWN':
      return notFoundBecause(error, `manifest for ${familiarReference(reference)} not found: ${error.message}`);
    case 'NAME_UNKNOWN':
      return notFoundBecause(error, `repository ${name} not found: ${error.message}`);
    default:
      return error.status === 404 && error.code === ''
        ? notFoundBecause(error, `manifest for ${familiarReference(reference)} not found: ${error.message}`)
        : error;
  }
}

function notFoundBecause(cause: RegistryError, message: string): EngineError {
  return new EngineError('not-found', message, { cause });
}
