import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isErrno, readIfThere, writeFileAtomic } from '../store/atomic-file.ts';

/**
 * A docker context a machine, so that `docker --context skiff ps` works with the docker CLI as it is: a file in docker's own
 * store, `contexts/meta/<sha256 of the name>/meta.json`. It is marked as ours; a context that is not is never touched,
 * nor is which context is the current one (but for one that is removed while it is).
 */
export interface DockerContexts {
  /** Writes the machine's context. Null when one of that name exists that is not this machine's. */
  provide(machine: ContextOf): Promise<string | null>;
  /** Removes it if it is the machine's. */
  remove(machine: ContextOf): Promise<void>;
  /** All that are of machines below this folder. */
  list(machinesFolder: string): Promise<readonly ListedContext[]>;
}

export interface ListedContext {
  readonly context: string;
  /** The machine's folder, which may be gone. */
  readonly machineFolder: string;
  remove(): Promise<void>;
}

export interface ContextOf {
  readonly name: string;
  /** The machine's folder: which of several machines of that name it is. */
  readonly folder: string;
  readonly dockerHost: string;
}

const contextSchema = z.looseObject({ Name: z.string(), Metadata: z.looseObject({ SkiffMachine: z.string() }) });

/** `skiff` for the machine `default`, else `skiff-NAME`. */
export function contextName(machineName: string): string {
  return machineName === 'default' ? 'skiff' : `skiff-${machineName}`;
}

export function dockerContexts(environment: Readonly<Record<string, string | undefined>>): DockerContexts {
  const wanted = environment['DOCKER_CONFIG'];
  const config = wanted === undefined || wanted === '' ? join(homedir(), '.docker') : wanted;
  const folderOf = (context: string): string =>
    join(config, 'contexts', 'meta', createHash('sha256').update(context).digest('hex'));
  return {
    async provide(machine) {
      const context = contextName(machine.name);
      const path = join(folderOf(context), 'meta.json');
      const text = await readIfThere(path);
      if (text !== null && !isOf(text, machine)) return null;
      const document = formatContext(context, machine);
      if (text !== document) {
        await mkdir(folderOf(context), { recursive: true, mode: 0o700 });
        await writeFileAtomic(path, document);
      }
      return context;
    },
    async remove(machine) {
      const context = contextName(machine.name);
      const text = await readIfThere(join(folderOf(context), 'meta.json'));
      if (text === null || !isOf(text, machine)) return;
      await leaveContext(join(config, 'config.json'), context);
      await rm(folderOf(context), { recursive: true, force: true });
    },
    async list(machinesFolder) {
      const root = join(config, 'contexts', 'meta');
      const found = await Promise.all(
        (await foldersIn(root)).map(async (folder): Promise<ListedContext[]> => {
          const parsed = parseContext(await readIfThere(join(root, folder, 'meta.json')));
          if (parsed === null || dirname(parsed.Metadata.SkiffMachine) !== machinesFolder) return [];
          return [
            {
              context: parsed.Name,
              machineFolder: parsed.Metadata.SkiffMachine,
              async remove() {
                await leaveContext(join(config, 'config.json'), parsed.Name);
                await rm(join(root, folder), { recursive: true, force: true });
              },
            },
          ];
        }),
      );
      return found.flat();
    },
  };
}

function parseContext(text: string | null): z.infer<typeof contextSchema> | null {
  if (text === null) return null;
  try {
    return contextSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function formatContext(context: string, machine: ContextOf): string {
  return JSON.stringify({
    Name: context,
    Metadata: { Description: `Skiff machine "${machine.name}"`, SkiffMachine: machine.folder },
    Endpoints: { docker: { Host: machine.dockerHost, SkipTLSVerify: false } },
  });
}

function isOf(text: string, machine: ContextOf): boolean {
  return parseContext(text)?.Metadata.SkiffMachine === machine.folder;
}

/** With a current context that is gone, every docker command fails; docker's own `context rm --force` resets it too. */
async function leaveContext(path: string, context: string): Promise<void> {
  if ((await readIfThere(path)) === null) return;
  let config: unknown;
  try {
    config = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return;
  }
  if (
    typeof config !== 'object' ||
    config === null ||
    !('currentContext' in config) ||
    config.currentContext !== context
  )
    return;
  const { currentContext: _left, ...rest } = config;
  await writeFileAtomic(path, `${JSON.stringify(rest, null, '\t')}\n`);
}
