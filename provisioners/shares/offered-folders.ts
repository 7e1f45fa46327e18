import type { Duplex } from 'node:stream';
import type { OfferedFolder } from './file-requests.ts';
import { SafeTree } from './safe-tree.ts';
import { SftpSession } from './sftp-session.ts';
import type { Share } from './share.ts';
import { sharedFolder } from './share.ts';
import type { SeenChange, WatchedFolder } from './watch-folders.ts';
import { FolderWatch } from './watch-folders.ts';

/** The folders that one machine may use, opened when it first asks for one. */
export class OfferedFolders implements Disposable {
  readonly #log: (line: string) => void;
  readonly #open = new Map<string, OfferedFolder>();
  #shares: ReadonlyMap<string, Share> = new Map();

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** What is shared from now on, also in sessions that are under way. */
  offer(shares: readonly Share[]): void {
    this.#shares = new Map(shares.map((share) => [sharedFolder(share).id, share]));
    for (const [id, { tree }] of this.#open) {
      tree[Symbol.dispose]();
      this.#open.delete(id);
    }
  }

  /** Answers a machine over one stream until it ends, and tells it of changes where it wants to know. */
  async serve(stream: Duplex): Promise<void> {
    const touched = new Map<string, number>();
    let watching: FolderWatch | null = null;
    const session: SftpSession = new SftpSession(stream, {
      folder: (id) => this.#folder(id),
      onWatch: (paths) => {
        watching?.[Symbol.dispose]();
        watching = new FolderWatch({
          folders: paths.flatMap((path) => this.#watched(path)),
          onChanges: (changes) => session.tell(changes.filter((change) => !isEcho(change, touched))),
          log: this.#log,
        });
      },
      onTouched: (path) => {
        touched.delete(path);
        touched.set(path, Date.now());
        const [oldest] = touched.keys();
        if (touched.size > mostTouched && oldest !== undefined) touched.delete(oldest);
      },
    });
    try {
      await session.run();
    } finally {
      (watching as FolderWatch | null)?.[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.offer([]);
  }

  #folder(id: string): OfferedFolder | undefined {
    const known = this.#open.get(id);
    const share = this.#shares.get(id);
    if (known !== undefined || share === undefined) return known;
    const folder = { tree: new SafeTree(share.hostPath), isReadOnly: share.isReadOnly };
    this.#open.set(id, folder);
    return folder;
  }

  #watched(path: string): readonly WatchedFolder[] {
    const [, id = '', ...names] = path.split('/');
    const root = this.#folder(id)?.tree.root;
    return root === undefined ? [] : [{ root, id, path: names.join('/') }];
  }
}

/** What a container did comes back as a change; it has heard of that from its own kernel. What the user did after that is told. */
function isEcho({ path, atMs }: SeenChange, touched: ReadonlyMap<string, number>): boolean {
  const touchedMs = touched.get(path);
  if (touchedMs === undefined) return false;
  return atMs === null ? Date.now() - touchedMs < removalEchoMs : atMs - touchedMs < echoMs;
}

const echoMs = 50;
/** When a file went away nobody knows: as long as its change may take to get here. */
const removalEchoMs = 500;
const mostTouched = 10_000;
