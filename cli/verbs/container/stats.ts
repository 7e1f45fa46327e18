import type { EngineEvent } from '../../../api/events.ts';
import { EngineError } from '../../../client/errors.ts';
import { flag } from '../../flags/flag.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import { statsFormat, statsRow } from '../../formats/stats.ts';
import type { StatsRow } from '../../formats/stats.ts';
import { describeError, write, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

/** How often the screen is drawn anew. */
const drawMs = 500;

export const stats = defineVerb({
  usage: '[OPTIONS] [CONTAINER...]',
  summary: 'Display a live stream of container(s) resource usage statistics',
  flags: {
    all: flag.switch({ short: 'a', help: 'Show all containers (default shows just running)' }),
    format: flag.text({ help: formatHelp }),
    noStream: flag.switch({ help: 'Disable streaming stats and only pull the first result' }),
    noTrunc: flag.switch({ help: 'Do not truncate output' }),
  },
  offers: ['running-container'],
  examples: [
    ['', 'What runs, drawn anew every half second'],
    ["--no-stream --format '{{.Name}} {{.MemUsage}}'", 'The memory of each, once'],
  ],
  async run({ flags, args, context }) {
    const watch = new StatsWatch(context, { length: flags.noTrunc ? 'full' : 'short', isOnce: flags.noStream });
    using _watch = watch;
    const draw = async (): Promise<void> => {
      const lines = rowLines(statsFormat, watch.rows(), { isQuiet: false, format: flags.format });
      const isTable = flags.format === undefined || flags.format.startsWith('table');
      if (!flags.noStream && isTable && context.stdout.isTTY) await write(context.stdout, '\x1b[H\x1b[2J');
      await writeLines(context.stdout, lines);
    };
    if (args.length > 0) await watchNamed(watch, args, context);
    else await watchAll(watch, context, flags);
    if (flags.noStream) {
      await watch.allSampled();
      await draw();
      return 0;
    }
    const timer = setInterval(() => void draw().catch(() => undefined), drawMs); // A reader that is gone ends the process.
    try {
      await watch.ended;
      return 0;
    } finally {
      clearInterval(timer);
    }
  },
});

async function watchNamed(watch: StatsWatch, names: readonly string[], context: Context): Promise<void> {
  const found = await Promise.allSettled(
    names.map(async (name) => ({ name, ...(await context.engine.containers.inspect(name)) })),
  );
  const lost = found.filter((outcome) => outcome.status === 'rejected');
  if (lost.length > 0) throw new CommandError(lost.map(({ reason }) => describeError(reason)).join('\n'));
  for (const outcome of found) {
    if (outcome.status === 'fulfilled')
      watch.add({ asked: outcome.value.name, id: outcome.value.Id, name: outcome.value.Name.slice(1) });
  }
  watch.endWithLast();
}

/** Those that run, and as they come and go. */
async function watchAll(
  watch: StatsWatch,
  context: Context,
  { all, noStream }: { readonly all: boolean; readonly noStream: boolean },
): Promise<void> {
  const { engine } = context;
  const events = noStream ? null : await engine.events({ filters: { type: ['container'] } });
  for (const { Id, Names } of await engine.containers.list({ all })) {
    watch.add({ asked: Id, id: Id, name: Names[0]?.slice(1) ?? '' });
  }
  if (events) watch.follow(events, all);
}

interface Watched {
  readonly asked: string;
  readonly id: string;
  readonly name: string;
  row: StatsRow;
  readonly sampled: Promise<void>;
  stop(): void;
}

/** Follows the samples of containers until disposed. */
class StatsWatch implements Disposable {
  readonly #context: Context;
  readonly #options: { readonly length: 'short' | 'full'; readonly isOnce: boolean };
  readonly #watched = new Map<string, Watched>();
  readonly #end = Promise.withResolvers<void>();
  #endsWithLast = false;
  #events: Disposable | null = null;

  constructor(context: Context, options: { readonly length: 'short' | 'full'; readonly isOnce: boolean }) {
    this.#context = context;
    this.#options = options;
  }

  /** When there is nothing more to show; rejects when the engine goes away. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  rows(): StatsRow[] {
    return [...this.#watched.values()].map(({ row }) => row);
  }

  async allSampled(): Promise<void> {
    await Promise.all([...this.#watched.values()].map(({ sampled }) => sampled));
  }

  endWithLast(): void {
    this.#endsWithLast = true;
  }

  add(container: { readonly asked: string; readonly id: string; readonly name: string }): void {
    if (this.#watched.has(container.id)) return;
    const abort = new AbortController();
    const first = Promise.withResolvers<void>();
    const entry: Watched = {
      ...container,
      row: statsRow(container, null, this.#options.length),
      sampled: first.promise,
      stop: () => abort.abort(),
    };
    this.#watched.set(container.id, entry);
    const done = (): void => {
      first.resolve();
      if (this.#options.isOnce || !this.#endsWithLast) return;
      this.#watched.delete(container.id);
      if (this.#watched.size === 0) this.#end.resolve();
    };
    this.#read(entry, abort.signal, first.resolve).then(done, (error: unknown) => {
      // One that is removed while we look is no failure; a lost engine is.
      if (!(error instanceof EngineError) && !abort.signal.aborted) this.#end.reject(error);
      done();
    });
  }

  follow(events: AsyncIterable<EngineEvent> & Disposable, all: boolean): void {
    this.#events = events;
    const read = async (): Promise<void> => {
      for await (const { Action, Actor } of events) {
        const { ID: id, Attributes } = Actor;
        if (Action === 'start' || (all && Action === 'create'))
          this.add({ asked: id, id, name: Attributes['name'] ?? '' });
        if (Action === 'destroy' || (!all && Action === 'die')) {
          this.#watched.get(id)?.stop();
          this.#watched.delete(id);
        }
      }
    };
    read().then(this.#end.resolve, this.#end.reject);
  }

  [Symbol.dispose](): void {
    this.#events?.[Symbol.dispose]();
    for (const { stop } of this.#watched.values()) stop();
  }

  async #read(entry: Watched, signal: AbortSignal, onSample: () => void): Promise<void> {
    const { isOnce, length } = this.#options;
    using samples = await this.#context.engine.containers.stats(entry.id, { once: isOnce }, { signal });
    for await (const sample of samples) {
      entry.row = statsRow(entry, sample, length);
      onSample();
    }
  }
}
