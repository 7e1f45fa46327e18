import { rm } from 'node:fs/promises';
import { z } from 'zod';
import type { MachineSettings } from '../machines.ts';
import { MachineError } from '../machines.ts';
import { readIfThere, writeFileAtomic } from '../store/atomic-file.ts';
import type { MachinePaths } from '../store/home.ts';

/** A store of secrets of this computer's user: the keychain of the system. Its entries have a server's name and a user's. */
export interface Keychain {
  /** As messages name it. */
  readonly name: string;
  get(server: string): Promise<{ readonly username: string; readonly secret: string } | null>;
  store(server: string, secret: { readonly username: string; readonly secret: string }): Promise<void>;
  /** Not there is as good as gone. */
  erase(server: string): Promise<void>;
}

type Secrets = Readonly<Record<string, string>>;

/** In the machine's folder where its user asked to keep its secrets: where they are, and, without a keychain, what they are. */
const noteSchema = z.discriminatedUnion('in', [
  z.strictObject({ in: z.literal('keychain'), server: z.string() }),
  z.strictObject({ in: z.literal('file'), secrets: z.record(z.string(), z.string()) }),
]);
const entrySchema = z.record(z.string(), z.string());
const username = 'skiff';

/**
 * Secrets of machines that later operations need (the password for sudo), of those machines alone whose user asked for that: in the
 * keychain where there is one that takes them, else in a file that this user alone may read.
 */
export class KeptSecrets {
  readonly #keychain: Keychain | null;

  constructor(keychain: Keychain | null) {
    this.#keychain = keychain;
  }

  /** Empty where nothing was kept. */
  async read(paths: Pick<MachinePaths, 'secrets'>): Promise<MachineSettings> {
    const note = await readNote(paths);
    if (note === null) return {};
    if (note.in === 'file') return note.secrets;
    const entry = (await this.#of(paths).get(note.server)) ?? null;
    // It was taken out by hand: then it is as if it had never been kept.
    return entry === null ? {} : entrySchema.parse(JSON.parse(entry.secret));
  }

  /** Replaces what was kept; says for people where it is now. */
  async keep(
    machine: { readonly id: string; readonly paths: Pick<MachinePaths, 'secrets'> },
    secrets: Secrets,
  ): Promise<string> {
    const { paths, id } = machine;
    const server = `https://machine-${id}.skiff.invalid`;
    const write = (note: z.infer<typeof noteSchema>): Promise<void> =>
      writeFileAtomic(paths.secrets, `${JSON.stringify(note)}\n`);
    if (this.#keychain !== null) {
      // First the note: what stands in the keychain without one would stay there for ever.
      await write({ in: 'keychain', server });
      try {
        await this.#keychain.store(server, { username, secret: JSON.stringify(secrets) });
        return this.#keychain.name;
      } catch {
        // It is locked, or not there after all: the file is what remains, as for docker's logins.
      }
    }
    await write({ in: 'file', secrets });
    return `a file that you alone may read (${paths.secrets})`;
  }

  async erase(paths: Pick<MachinePaths, 'secrets'>): Promise<void> {
    const note = await readNote(paths);
    if (note?.in === 'keychain') await this.#keychain?.erase(note.server);
    await rm(paths.secrets, { force: true });
  }

  #of(paths: Pick<MachinePaths, 'secrets'>): Keychain {
    if (this.#keychain !== null) return this.#keychain;
    throw new MachineError(
      'login-refused',
      `The secrets of this machine are in a keychain that this program does not reach (${paths.secrets}): give them by the environment`,
    );
  }
}

async function readNote(paths: Pick<MachinePaths, 'secrets'>): Promise<z.infer<typeof noteSchema> | null> {
  const text = await readIfThere(paths.secrets);
  if (text === null) return null;
  try {
    return noteSchema.parse(JSON.parse(text));
  } catch {
    // Not told with its cause: that may quote what stands there.
    throw new MachineError(
      'internal',
      `${paths.secrets} cannot be read; remove it, and give the secrets by the environment`,
    );
  }
}
