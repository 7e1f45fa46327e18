/**
 * The built page's files, by the path that a request names. The folder is read once: a path is looked up among the names
 * found then and never joined to a file name, so no spelling of a path leads anywhere else.
 */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';

export interface PageFile {
  readonly contentType: string;
  /** Its name changes with its content. */
  readonly isImmutable: boolean;
  read(): Promise<Buffer>;
}

const contentTypes: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
};

export class PageFiles {
  readonly #files: ReadonlyMap<string, PageFile>;

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = files;
  }

  /** Throws where there is no built page in `folder`. */
  static async open(folder: string): Promise<PageFiles> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
      throw new Error(`There is no built page in ${folder}; build it with: npm run build`, { cause });
    });
    const files = new Map<string, PageFile>();
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const name = relative(folder, path).split(sep).join('/');
      files.set(`/${name}`, {
        contentType: contentTypes[extname(name)] ?? 'application/octet-stream',
        isImmutable: name.startsWith('assets/'),
        read: () => readFile(path),
      });
    }
    const index = files.get('/index.html');
    if (!index) throw new Error(`There is no index.html in ${folder}; build the page with: npm run build`);
    files.set('/', index);
    return new PageFiles(files);
  }

  /** `pathname` as it stands in a URL, percent-encoding and all; null where there is no such file. */
  find(pathname: string): PageFile | null {
    let path: string;
    try {
      path = decodeURIComponent(pathname);
    } catch {
      return null; // No valid encoding, so nobody's name.
    }
    return this.#files.get(path) ?? null;
  }
}
