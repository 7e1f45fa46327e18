import { EngineError } from '../client/errors.ts';
import { CommandError } from './usage-error.ts';

/** What only Skiff's engine does. Another one does not know the address: that is said, instead of its own "page not found". */
export async function ofSkiffEngine<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isForeign(error)) throw error;
    throw new CommandError(
      `${what}: this engine does not offer it. It is Skiff's own; is the engine another one, or an older Skiff?`,
      {
        cause: error,
      },
    );
  }
}

export function isForeign(error: unknown): boolean {
  return error instanceof EngineError && error.statusCode === 404 && /page not found/i.test(error.message);
}
