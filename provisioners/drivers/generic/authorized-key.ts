import type { Line } from '../../line/line.ts';
import { shellQuote } from '../../line/line.ts';

/**
 * For scripts that stand in `~/.ssh`. Two machines of the same account may come and go at once, and a line is taken out by writing
 * all others again. By busybox's flock too; a host without any has only its luck.
 */
const lockFolder =
  'if command -v flock >/dev/null 2>&1; then exec 9<. && flock -w 10 9 || { echo "another program keeps ~/.ssh locked" >&2; exit 1; }; fi';

/**
 * The machine's own key among those that the user's account lets in, so that nothing has to ask for a passphrase or an agent
 * later. Its line ends with the machine's id, by which it is found and removed.
 */
export async function addAuthorizedKey(
  line: Line,
  options: { readonly publicKey: string; readonly tag: string; readonly signal: AbortSignal },
): Promise<void> {
  const { publicKey, tag, signal } = options;
  const [type, blob] = publicKey.split(/\s+/);
  await line.check(
    [
      'umask 077; mkdir -p "$HOME/.ssh" && cd "$HOME/.ssh" || exit 1',
      lockFolder,
      `grep -qsF ${shellQuote(tag)} authorized_keys && exit 0`,
      // A last line without an end would swallow ours.
      '[ ! -s authorized_keys ] || [ -z "$(tail -c 1 authorized_keys)" ] || echo >>authorized_keys',
      `printf '%s\\n' ${shellQuote(`${type} ${blob} ${tag}`)} >>authorized_keys`,
    ].join('\n'),
    { signal },
  );
}

export async function removeAuthorizedKey(
  line: Line,
  options: { readonly tag: string; readonly signal: AbortSignal },
): Promise<void> {
  const { tag, signal } = options;
  await line.check(
    [
      'cd "$HOME/.ssh" 2>/dev/null && [ -f authorized_keys ] || exit 0',
      lockFolder,
      // Written through, not replaced: the file may be a link, and its owner and mode are the user's business.
      `umask 077; kept=$(grep -vF ${shellQuote(tag)} authorized_keys; echo end) && printf '%s' "\${kept%end}" >authorized_keys`,
      '[ -s authorized_keys ] || rm -f authorized_keys',
    ].join('\n'),
    { signal },
  );
}
