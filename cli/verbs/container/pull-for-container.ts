import type { ImageName } from '../../../api/image-names.ts';
import { loginFor } from '../../login-for.ts';
import { showTransfer } from '../../transfers/show-transfer.ts';
import type { Context } from '../../verb.ts';

/** The image that a new container needs. Its progress goes to stderr: stdout is the container's. */
export async function pullForContainer(
  context: Context,
  name: ImageName,
  { platform, quiet }: { readonly platform: string | undefined; readonly quiet: boolean },
): Promise<void> {
  const auth = await loginFor(context, name.domain);
  await showTransfer(context, quiet ? 'quiet' : context.stderr, (signal) =>
    context.engine.registries.pull(name, { auth, platform }, { signal }),
  );
}
