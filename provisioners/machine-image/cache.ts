/**
 * The cache of machine images: a folder an image below `<cache>/machine-images/`, named by its recipe (or by the digest of
 * its manifest, when it was downloaded). A folder with that name is whole, for it gets its name by one rename at the end;
 * what is in the making has a name that begins with a dot.
 */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { MachineError } from '../machines.ts';
import { isErrno, readIfThere, syncFolder, writeFileAtomic } from '../store/atomic-file.ts';
import { type FileLock, tryLockFile } from '../store/machine-lock.ts';
import { imageFiles, type Manifest, manifestSchema } from './manifest.ts';
import { sha256OfFile } from './node-runtime.ts';

/** `$SKIFF_CACHE`, else where this system keeps what can be made again. Always absolute. */
export function cacheFolder({
  environment = process.env,
  platform = process.platform,
  home = homedir(),
}: {
  environment?: Readonly<Record<string, string | undefined>>;
  platform?: NodeJS.Platform;
  home?: string;
} = {}): string {
  const given = (name: string): string | null => {
    const value = environment[name];
    return value === undefined || value === '' ? null : value;
  };
  const own = given('SKIFF_CACHE');
  if (own !== null) return resolve(own);
  switch (platform) {
    case 'darwin':
      return join(home, 'Library/Caches/skiff');
    case 'win32':
      return join(given('LOCALAPPDATA') ?? join(home, 'AppData/Local'), 'skiff', 'cache');
    default:
      return join(given('XDG_CACHE_HOME') ?? join(home, '.cache'), 'skiff');
  }
}

/** What a digest was once computed for: as long as size and time stay, the file is taken to be the same. */
const verifiedSchema = z.record(
  z.string(),
  z.object({ sha256: z.string(), sizeBytes: z.number(), mtimeMs: z.number() }),
);

/**
 * The manifest of the image in `folder`, its files checked: by digest the first time, by size and time afterwards. Null
 * when there is no such folder. Throws `image-corrupt`, naming the file, when something in it is not what it was.
 */
export async function readVerifiedImage(folder: string): Promise<Manifest | null> {
  const text = await readIfThere(join(folder, 'manifest.json'));
  if (text === null) return null;
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (!parsed.success) throw corrupt(folder, 'manifest.json is malformed');
  const manifest = parsed.data;
  const known = verifiedSchema.safeParse(parseJson((await readIfThere(join(folder, 'verified.json'))) ?? '{}'));
  const before = known.success ? known.data : {};
  const now: z.infer<typeof verifiedSchema> = {};
  let isNew = false;
  for (const name of imageFiles) {
    const wanted = manifest.files[name];
    const found = await stat(join(folder, name)).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) throw corrupt(folder, `${name} is missing`);
      throw error;
    });
    if (found.size !== wanted.sizeBytes)
      throw corrupt(folder, `${name} has ${found.size} bytes instead of ${wanted.sizeBytes}`);
    const earlier = before[name];
    const isKnown =
      earlier?.sha256 === wanted.sha256 && earlier.sizeBytes === found.size && earlier.mtimeMs === found.mtimeMs;
    if (!isKnown && (await sha256OfFile(join(folder, name))) !== wanted.sha256)
      throw corrupt(folder, `${name} does not have the digest ${wanted.sha256}`);
    isNew ||= !isKnown;
    now[name] = { sha256: wanted.sha256, sizeBytes: found.size, mtimeMs: found.mtimeMs };
  }
  if (isNew) await writeFileAtomic(join(folder, 'verified.json'), `${JSON.stringify(now)}\n`);
  return manifest;
}

function corrupt(folder: string, what: string): MachineError {
  return new MachineError('image-corrupt', `The machine image in ${folder} is damaged: ${what}.`);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A torn or foreign file: the schema that it is checked against next says so.
    return null;
  }
}

/** Gives a folder that was filled under another name its own; whatever had that name (a damaged image) goes. */
export async function publishImage({ made, folder }: { made: string; folder: string }): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await rename(made, folder);
  await syncFolder(join(folder, '..'));
}

/** Where the image `name` is built. */
export function buildFolder({ images, name }: { images: string; name: string }): string {
  return join(images, `.${name}.build`);
}

/**
 * Removes what builds that were killed left behind (a gigabyte each): those whose lock nobody holds, and that of `own`,
 * whose lock the caller holds. Half downloads stay: they are gone on with.
 */
export async function removeDeadBuilds({ images, own }: { images: string; own: string }): Promise<void> {
  for (const entry of await readdir(images)) {
    const name = /^\.(.+)\.build$/.exec(entry)?.[1];
    if (name === undefined) continue;
    await using lock = name === own ? null : await tryLockFile(lockPath({ images, name }));
    if (name === own || lock !== null) await rm(join(images, entry), { recursive: true, force: true });
  }
}

function lockPath({ images, name }: { images: string; name: string }): string {
  return join(images, `.${name}.lock`);
}

/**
 * Waits until nobody else makes this image: two at once would only take twice as long. Aborting ends the wait. `onWait`
 * is called once if somebody is at it.
 */
export async function lockImage(options: {
  readonly images: string;
  readonly name: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onWait: () => void;
}): Promise<FileLock> {
  const { images, name, timeoutMs, signal, onWait } = options;
  await mkdir(images, { recursive: true });
  const path = lockPath({ images, name });
  const deadline = performance.now() + timeoutMs;
  for (let isFirst = true; ; isFirst = false) {
    signal.throwIfAborted();
    const lock = await tryLockFile(path);
    if (lock !== null) return lock;
    if (isFirst) onWait();
    if (performance.now() > deadline) {
      throw new MachineError(
        'timeout',
        `Another Skiff has been making the machine image for ${Math.round(timeoutMs / 60_000)} minutes; its lock is ${path}.`,
      );
    }
    await delay(200, undefined, { signal });
  }
}
