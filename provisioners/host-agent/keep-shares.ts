import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ShareList } from '../../api/shares/shares.ts';
import type { Dial } from '../../client/dial.ts';
import { EngineClient } from '../../client/engine-client.ts';
import { OfferedFolders } from '../shares/offered-folders.ts';
import type { Share } from '../shares/share.ts';
import { sharedFolder } from '../shares/share.ts';

/** What a machine shares now, and what it says of the rest. */
export interface MachineShares extends Omit<ShareList, 'folders'> {
  readonly shares: readonly Share[];
}

export interface KeepSharesOptions {
  readonly dial: Dial;
  /** Asked at each connection, and when `document` changes. */
  readonly shares: () => Promise<MachineShares>;
  /** The machine's document, watched. */
  readonly document: string;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/**
 * Tells the engine which folders of this computer its containers may bind, and answers what it asks of them over one stream through its
 * API: so they come over whatever way the connection has. All begins again when that breaks; what containers wait for waits meanwhile.
 */
export async function keepShares(options: KeepSharesOptions): Promise<void> {
  const { dial, signal, log } = options;
  using folders = new OfferedFolders(log);
  using changes = watchDocument(options.document);
  while (!signal.aborted) {
    try {
      using engine = new EngineClient(dial);
      let current = '';
      const tell = async (): Promise<void> => {
        const { shares, ...others } = await options.shares();
        const list: ShareList = { ...others, folders: shares.map(sharedFolder) };
        const next = JSON.stringify([list, shares]);
        if (next === current) return;
        folders.offer(shares);
        await engine.skiff.share(list, { signal });
        current = next;
      };
      await tell();
      const stream = await engine.skiff.attachShares({ signal });
      using _stream = { [Symbol.dispose]: () => stream.destroy() };
      const serving = folders.serve(stream);
      let isServing = true;
      void serving.then(() => (isServing = false));
      while (isServing && !signal.aborted) {
        await Promise.race([serving, changes.next(), aborted(signal)]);
        if (isServing && !signal.aborted) await tell();
      }
    } catch (error) {
      if (signal.aborted) return;
      log(`shared folders: ${error instanceof Error ? error.message : String(error)}`);
    }
    await delay(500, undefined, { signal }).catch(() => undefined);
  }
}

interface Changes extends Disposable {
  /** Resolves at the next change. */
  next(): Promise<void>;
}

/** By its folder: it is replaced as a whole. */
function watchDocument(document: string): Changes {
  let changed = Promise.withResolvers<void>();
  const watcher = watch(dirname(document), { persistent: false }, (_event, file) => {
    if (file !== basename(document)) return;
    changed.resolve();
    changed = Promise.withResolvers();
  });
  // A machine that is being removed; its agent ends too.
  watcher.on('error', () => watcher.close());
  return { next: () => changed.promise, [Symbol.dispose]: () => watcher.close() };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
