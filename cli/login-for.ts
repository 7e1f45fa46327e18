import type { RegistryAuth } from '../api/registries.ts';
import { describeError, writeLines } from './report.ts';
import type { Context } from './verb.ts';
import { Credentials, serverOf } from '../logins/credentials.ts';

/**
 * What to send along to a registry; null when there is no login. A store that cannot be asked is told of and done without: docker's config often
 * names a helper that is gone, and most images want no login.
 */
export async function loginFor(context: Context, domain: string): Promise<RegistryAuth | null> {
  const server = serverOf(domain);
  try {
    return await new Credentials(context.environment, context.platform).get(server);
  } catch (error) {
    const warning = `WARNING: the login for ${server} could not be read, going on without: ${describeError(error)}`;
    await writeLines(context.stderr, [warning]);
    return null;
  }
}
