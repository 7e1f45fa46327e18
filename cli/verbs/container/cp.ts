import { existsSync, lstatSync, statSync } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, posix, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { PathStat } from '../../../api/containers.ts';
import { EngineError } from '../../../client/errors.ts';
import { packLocal } from '../../files/pack-local.ts';
import { assertsFolder, unpackHere } from '../../files/unpack-here.ts';
import { flag } from '../../flags/flag.ts';
import { formatSize } from '../../formats/sizes.ts';
import { write, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

interface CopyOptions {
  readonly archive: boolean;
  readonly followLink: boolean;
  readonly isQuiet: boolean;
}

/** The two ends of a copy, in the order of the command line. */
interface Ends {
  readonly container: string;
  readonly source: string;
  readonly target: string;
}

export const cp = defineVerb({
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tskiff cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  summary: 'Copy files/folders between a container and the local filesystem',
  details:
    "Use '-' as the source to read a tar archive from stdin\nand extract it to a directory destination in a container.\nUse '-' as the destination to stream a tar archive of a\ncontainer source to stdout.",
  flags: {
    archive: flag.switch({ short: 'a', help: 'Archive mode (copy all uid/gid information)' }),
    followLink: flag.switch({ short: 'L', help: 'Always follow symbol link in SRC_PATH' }),
    quiet: flag.switch({ short: 'q', help: 'Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached' }),
  },
  min: 2,
  max: 2,
  offers: ['file'],
  examples: [
    ['web:/etc/nginx .', 'A folder of a container, to here'],
    ['config.json web:/srv/', 'A file into a folder of a container'],
  ],
  async run({ flags: { archive, followLink, quiet }, args: [source = '', target = ''], context }) {
    if (source === '') throw new CommandError('source can not be empty');
    if (target === '') throw new CommandError('destination can not be empty');
    const from = splitPath(source);
    const to = splitPath(target);
    const options = { archive, followLink, isQuiet: quiet || !context.stdout.isTTY };
    if (from.container !== '' && to.container !== '') throw new CommandError('copying between containers is not supported');
    if (from.container !== '') await copyFrom(context, { container: from.container, source: from.path, target }, options);
    else if (to.container !== '') await copyTo(context, { container: to.container, source, target: to.path }, options);
    else throw new CommandError('must specify at least one container source');
    return 0;
  },
}); // prettier-ignore

/** `web:/etc`: a path that begins with a slash, a dot or a drive letter is one of this computer. */
function splitPath(text: string): { readonly container: string; readonly path: string } {
  const [, container = '', path = ''] = /^([^:]+):(.*)$/s.exec(text) ?? [];
  const isLocal = isAbsolute(text) || container === '' || container.startsWith('.') || container.length === 1 && process.platform === 'win32';
  return isLocal ? { container: '', path: text } : { container, path };
} // prettier-ignore

async function copyFrom(context: Context, { container, source, target }: Ends, options: CopyOptions): Promise<void> {
  const { files } = context.engine;
  const path = options.followLink ? await linkTarget(context, container, source) : source;
  if (target !== '-') checkFolderOf(target);
  const { tar, stat: found } = await files.read(container, path);
  if (target === '-') {
    for await (const chunk of tar as AsyncIterable<Buffer>) await write(context.stdout, chunk);
    return;
  }
  const base = baseOf(path);
  const place = await placeHere(target, isFolder(found));
  // A followed link keeps its own name, not that of what it leads to.
  const own = options.followLink && place.newBase === null ? baseOf(source) : base;
  const newBase = place.newBase ?? (own === '.' || own === '/' ? '' : own);
  const { sizeBytes, leftOut } = await unpackHere(tar as AsyncIterable<Buffer>, {
    folder: place.folder,
    base,
    newBase,
    keepsOwners: options.archive,
  });
  await writeLines(context.stderr, leftOut);
  if (!options.isQuiet) await writeLines(context.stderr, [`Successfully copied ${formatSize(sizeBytes)} to ${target}`]);
}

/** Where it goes on this computer: into a folder under its own name, or under a new one. */
async function placeHere(target: string, isFolderCopied: boolean): Promise<{ folder: string; newBase: string | null }> {
  const path = resolve(target);
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) return { folder: await realpath(path), newBase: null };
    if (isFolderCopied) throw new CommandError('cannot copy directory');
    if (assertsFolder(target)) throw new CommandError('not a directory');
  } else if (!isFolderCopied && assertsFolder(target)) {
    throw new CommandError('no such directory');
  }
  return { folder: await realpath(dirname(path)), newBase: basename(path) };
}

function checkFolderOf(target: string): void {
  const folder = dirname(resolve(target));
  if (!existsSync(folder)) throw new CommandError(`invalid output path: directory "${folder}" does not exist`);
}

async function copyTo(context: Context, { container, source, target }: Ends, options: CopyOptions): Promise<void> {
  const { files } = context.engine;
  if (target === '') throw new CommandError('no such directory');
  const there = await placeThere(context, container, target);
  const copyUidGid = options.archive;
  if (source === '-') {
    if (there.kind !== 'folder') throw new CommandError(`destination "${container}:${target}" must be a directory`);
    await files.write(container, { path: there.path, copyUidGid }, context.stdin as Readable); // A process's stdin is a Readable.
    return;
  }
  const { path, base, isFolder: isFolderCopied } = await sourceHere(source, options.followLink);
  if (there.kind === 'file' && isFolderCopied) throw new CommandError('cannot copy directory');
  if (there.kind === 'nothing' && !isFolderCopied && assertsFolder(target)) throw new CommandError('no such directory');
  const isInto = there.kind === 'folder';
  const name = isInto ? base : posix.basename(there.path);
  let sentBytes = 0;
  const tar = packLocal(path, name, (count) => (sentBytes += count));
  await files.write(container, { path: isInto ? there.path : posix.dirname(there.path), copyUidGid }, tar);
  if (!options.isQuiet) {
    await writeLines(context.stderr, [`Successfully copied ${formatSize(sentBytes)} to ${container}:${target}`]);
  }
}

/** What stands where it shall go in the container; a link there is followed. */
async function placeThere(
  context: Context,
  container: string,
  target: string,
): Promise<{ readonly path: string; readonly kind: 'folder' | 'file' | 'nothing' }> {
  const path = posix.resolve('/', target);
  const found = await statOrNull(context, container, target.endsWith('/') ? `${path}/` : path);
  if (found === null) return { path, kind: 'nothing' };
  if (found.linkTarget === '') return { path, kind: isFolder(found) ? 'folder' : 'file' };
  const leadsTo = posix.resolve(posix.dirname(path), found.linkTarget);
  const behind = await statOrNull(context, container, leadsTo);
  return { path: leadsTo, kind: behind === null ? 'nothing' : isFolder(behind) ? 'folder' : 'file' };
}

async function statOrNull({ engine }: Context, container: string, path: string): Promise<PathStat | null> {
  try {
    return await engine.files.stat(container, path);
  } catch (error) {
    // HEAD has no words: whether it is the container or the path that is not there, the write will say.
    if (error instanceof EngineError && error.statusCode === 404) return null;
    throw error;
  }
}

async function linkTarget(context: Context, container: string, source: string): Promise<string> {
  const found = await statOrNull(context, container, source);
  return found === null || found.linkTarget === ''
    ? source
    : posix.resolve(posix.dirname(posix.resolve('/', source)), found.linkTarget);
}

async function sourceHere(
  source: string,
  followLink: boolean,
): Promise<{ readonly path: string; readonly base: string; readonly isFolder: boolean }> {
  const path = resolve(source);
  checkPathHere(path);
  const followed = followLink || assertsFolder(source) ? await realpath(path) : path;
  const found = followLink ? await stat(followed) : await lstat(followed);
  if (assertsFolder(source) && !found.isDirectory()) throw new CommandError('not a directory');
  const isContent = /(^|[\\/])\.$/.test(source);
  return { path: followed, base: isContent ? '.' : basename(path), isFolder: found.isDirectory() };
}

/** Names the first part of a path that is not there, as docker does. */
function checkPathHere(path: string): void {
  // A link that leads nowhere is there itself.
  if (lstatSync(path, { throwIfNoEntry: false })) return;
  if (dirname(path) !== path) checkPathHere(dirname(path));
  throw new CommandError(`lstat ${path}: no such file or directory`);
}

function baseOf(path: string): string {
  if (/(^|\/)\.$/.test(path)) return '.';
  const base = posix.basename(posix.resolve('/', path));
  return base === '' ? '/' : base;
}

/** Go's os.FileMode: the highest bit is a folder's. */
function isFolder({ mode }: PathStat): boolean {
  return mode >= 2 ** 31;
}
