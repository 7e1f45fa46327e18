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
  /** Calls back when a better way to the engine is there: the stream takes it. */
  readonly onFasterWay?: (listener: () => void) => void;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/**
 * Tells the engine which folders of this computer its containers may bind, and answers what it asks of them over one stream through its
 * API: so they come over whatever way the connection has. All begins again when that breaks; what containers wait for waits meanwhile.
 */
export async function keepShares(options: KeepSharesOptions): Promise<void> {
  const { signal, log } = options;
  using folders = new OfferedFolders(log);
  using stirred = watchDocument(options.document);
  const way = { isNew: false };
  options.onFasterWay?.(() => {
    way.isNew = true;
    stirred.stir();
  });
  while (!signal.aborted) {
    try {
      using engine = new EngineClient(options.dial);
      const tell = teller({ ...options, engine, folders });
      await tell();
      let serving = await serve({ engine, folders, signal });
      while (serving.isOpen && !signal.aborted) {
        const next = stirred.next();
        await tell();
        // The engine ends the stream before when what it asked there is answered.
        if (way.isNew) serving = await serve({ engine, folders, signal });
        way.isNew = false;
        await Promise.race([serving.ended, next, aborted(signal)]);
      }
    } catch (error) {
      if (signal.aborted) return;
      log(`shared folders: ${error instanceof Error ? error.message : String(error)}`);
    }
    await delay(500, undefined, { signal }).catch(() => undefined);
  }
}

/** Offers what is shared now and tells the engine of it; nothing when that is known. */
function teller(
  of: Pick<KeepSharesOptions, 'shares' | 'signal'> & {
    readonly engine: EngineClient;
    readonly folders: OfferedFolders;
  },
): () => Promise<void> {
  let current = '';
  return async () => {
    const { shares, ...others } = await of.shares();
    const list: ShareList = { ...others, folders: shares.map(sharedFolder) };
    const next = JSON.stringify([list, shares]);
    if (next === current) return;
    of.folders.offer(shares);
    await of.engine.skiff.share(list, { signal: of.signal });
    current = next;
  };
}

interface Serving {
  readonly isOpen: boolean;
  readonly ended: Promise<void>;
}

async function serve(of: {
  readonly engine: EngineClient;
  readonly folders: OfferedFolders;
  readonly signal: AbortSignal;
}): Promise<Serving> {
  const stream = await of.engine.skiff.attachShares({ signal: of.signal });
  let isOpen = true;
  const ended = of.folders.serve(stream).then(() => void (isOpen = false));
  return {
    get isOpen() {
      return isOpen;
    },
    ended,
  };
}

interface Changes extends Disposable {
  /** Resolves at the next change. */
  next(): Promise<void>;
  /** As if it had changed. */
  stir(): void;
}

/** By its folder: it is replaced as a whole. */
function watchDocument(document: string): Changes {
  let changed = Promise.withResolvers<void>();
  const stir = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const watcher = watch(dirname(document), { persistent: false }, (_event, file) => {
    if (file === basename(document)) stir();
  });
  // A machine that is being removed; its agent ends too.
  watcher.on('error', () => watcher.close());
  return { next: () => changed.promise, stir, [Symbol.dispose]: () => watcher.close() };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
