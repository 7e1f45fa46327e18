import type { FileAttributes } from '../../api/shares/attributes.ts';
import type { SharedFolder } from '../../api/shares/shares.ts';
import { invalid } from '../model/errors.ts';
import { FileError, type HostFiles } from './host-files.ts';
import { shareOf } from './share-of.ts';

export interface FoundSource {
  readonly share: SharedFolder;
  /** Latin1, with a slash in front; empty: the share itself. */
  readonly inShare: string;
  readonly isDirectory: boolean;
}

/** As many as the kernel follows. */
const mostLinks = 40;
const typeBits = 0o170000;
const link = 0o120000;
const directory = 0o040000;

/**
 * What a path of the user's computer really is: links are followed as they would be there, which the machine's kernel could not do. Throws
 * `invalid` for one that leads out of all that is shared, and for what is missing, which is made where docker would make it.
 */
export async function findSource(request: {
  readonly host: Pick<HostFiles, 'lstat' | 'readlink' | 'mkdir'>;
  readonly folders: readonly SharedFolder[];
  readonly source: string;
  readonly whenMissing: 'make' | 'fail';
}): Promise<FoundSource> {
  const { host, folders, source, whenMissing } = request;
  let wanted = source;
  for (let links = 0; links < mostLinks; links++) {
    const share = shareOf(folders, wanted);
    if (share === null) throw invalid(`${source} leads to ${wanted}, which is not shared with this machine`);
    const names = bytesOf(wanted.slice(share.path === '/' ? 0 : share.path.length))
      .split('/')
      .filter((name) => name !== '');
    const walked = await walk({ host, share, names, whenMissing });
    if (walked.kind === 'found') return { share, ...walked };
    // A link: from where it lies, or from the root of the computer that it lies on.
    const target = Buffer.from(walked.target, 'latin1').toString('utf8');
    const from = textOf(walked.inside.join('/'));
    const base = target.startsWith('/') ? target : `${share.path}/${from}/${target}`;
    wanted = normalized(`${base}/${textOf(walked.rest.join('/'))}`);
  }
  throw invalid(`too many links on the way to ${source}`);
}

type Walked =
  | { readonly kind: 'found'; readonly inShare: string; readonly isDirectory: boolean }
  | {
      readonly kind: 'link';
      readonly target: string;
      /** Names of the folder that it lies in, and those behind it. */
      readonly inside: readonly string[];
      readonly rest: readonly string[];
    };

async function walk(of: {
  readonly host: Pick<HostFiles, 'lstat' | 'readlink' | 'mkdir'>;
  readonly share: SharedFolder;
  readonly names: readonly string[];
  readonly whenMissing: 'make' | 'fail';
}): Promise<Walked> {
  const { host, share, names, whenMissing } = of;
  let isDirectory = true;
  for (let depth = 0; depth <= names.length; depth++) {
    const at = ['', share.id, ...names.slice(0, depth)].join('/');
    const file: FileAttributes = await host.lstat(at).catch((error: unknown) => {
      const isMissing = error instanceof FileError && error.message === 'ENOENT';
      if (isMissing && depth > 0 && whenMissing === 'make') return host.mkdir(at, 0o755);
      if (!isMissing) throw error;
      throw invalid(
        depth === 0
          ? `the shared folder ${share.path} is not there any more`
          : `bind source path does not exist: ${[share.path, textOf(names.join('/'))].join('/')}`,
      );
    });
    if ((file.mode & typeBits) === link)
      return {
        kind: 'link',
        target: await host.readlink(at),
        inside: names.slice(0, depth - 1),
        rest: names.slice(depth),
      };
    isDirectory = (file.mode & typeBits) === directory;
  }
  return { kind: 'found', inShare: names.map((name) => `/${name}`).join(''), isDirectory };
}

function normalized(path: string): string {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return `/${names.join('/')}`;
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
