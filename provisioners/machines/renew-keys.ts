import { rename } from 'node:fs/promises';
import type { DriverRun } from '../drivers/driver.ts';
import type { Line } from '../line/line.ts';
import { shellQuote } from '../line/line.ts';
import { MachineError } from '../machines.ts';
import type { SshKeyPair } from '../ssh/keys.ts';
import { generateSshKeyPair, keyPairOf } from '../ssh/keys.ts';
import { readIfThere, writeFileAtomic } from '../store/atomic-file.ts';
import { openLine, readKeys } from './machine-keys.ts';
import type { MachineSession } from './machine-session.ts';

/**
 * A new key with which this computer logs into a machine, in place of the old one: for a folder that others may have seen, or a
 * backup that went astray. The new key is let in first, proved, and only then takes the old one's place; cut off anywhere, one of the two is let in,
 * and doing it again ends it. The host agent and its connection go on: it reads the key when it connects again. The caller holds the lock.
 */
export async function renewKeys(session: MachineSession, run: DriverRun): Promise<void> {
  const { driver, paths, query, name } = session;
  const access = await driver.access(query);
  if (access?.kind === 'this-computer')
    throw new MachineError('not-supported', `Machine "${name}" is this computer itself: it has no key`);
  if (access === null)
    throw new MachineError(
      'not-running',
      `Machine "${name}" must run to be told its new key; start it with \`skiff machine start ${name}\``,
    );
  const { signal } = run;
  const old = await readKeys(paths);
  const identity = await provideNext(paths.identity, `skiff ${name}`);
  const keys = { ...old, identity };
  run.tell({ detail: 'letting the new key in' });
  {
    await using line = await openLine(access, { keys: old, signal, deadlineMs: 20_000 });
    await line.check(letInScript({ old: old.identity, next: identity }), { signal });
  }
  run.tell({ detail: 'logging in with it' });
  await using line: Line = await openLine(access, { keys, signal, deadlineMs: 20_000 });
  // The private key counts: whoever reads the pair makes the public one out of it.
  await rename(nextOf(paths.identity), paths.identity);
  await writeFileAtomic(`${paths.identity}.pub`, `${identity.publicKey}\n`);
  run.tell({ detail: 'locking the old key out' });
  await line.check(lockOutScript(identity), { signal });
}

const nextOf = (path: string): string => `${path}.next`;

/** The one that an earlier try made, if it was cut off: the machine may know it already. */
async function provideNext(path: string, comment: string): Promise<SshKeyPair> {
  const known = await readIfThere(nextOf(path));
  if (known !== null) return keyPairOf(known, comment);
  const made = generateSshKeyPair(comment);
  await writeFileAtomic(nextOf(path), made.privateKey);
  return made;
}

/** Where a machine's sshd looks: in machines of our image, on hosts. Only the file that has our key is touched. */
const files = '/run/skiff/seed/authorized_keys "$HOME/.ssh/authorized_keys"';
/** As other changes of that file do (drivers/generic/authorized-key.ts). */
const lock = 'if command -v flock >/dev/null 2>&1; then exec 9<"${file%/*}" && flock -w 10 9 || exit 1; fi';

const blobOf = ({ publicKey }: SshKeyPair): string => shellQuote(publicKey.split(/\s+/)[1] ?? '');

/** A line like that of the old key, with all that stands before and after it. */
function letInScript(keys: { readonly old: SshKeyPair; readonly next: SshKeyPair }): string {
  return [
    `old=${blobOf(keys.old)} new=${blobOf(keys.next)}`,
    `for file in ${files}; do`,
    'line=$(grep -sF -- "$old" "$file" | head -n 1); [ -n "$line" ] || continue',
    lock,
    'grep -qsF -- "$new" "$file" && exit 0',
    '[ -z "$(tail -c 1 "$file")" ] || echo >>"$file"',
    'printf \'%s\\n\' "${line%%"$old"*}$new${line#*"$old"}" >>"$file"; exit',
    'done',
    'echo "no file of authorized keys holds the key of this machine" >&2; exit 1',
  ].join('\n');
}

/** Every line that ends as that of the new key does, which ends with the machine's own tag, but is of another key. */
function lockOutScript(next: SshKeyPair): string {
  return [
    `new=${blobOf(next)}`,
    `for file in ${files}; do`,
    'line=$(grep -sF -- "$new" "$file" | head -n 1); [ -n "$line" ] || continue',
    'tag=${line#*"$new"}; [ -n "$tag" ] || exit 0',
    lock,
    'kept=$(grep -vF -- "$tag" "$file"; printf "%s\\nend" "$line")',
    'printf "%s" "${kept%end}" >"$file"; exit',
    'done',
  ].join('\n');
}
