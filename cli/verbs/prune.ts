import { EngineError } from '../../client/errors.ts';
import type { Filters } from '../../client/filters.ts';
import { confirm } from '../confirm.ts';
import { filterFlag } from '../flags/filters.ts';
import { flag } from '../flags/flag.ts';
import { formatSize } from '../formats/sizes.ts';
import { writeLines } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import { defineVerb } from '../verb.ts';
import type { Context } from '../verb.ts';

/** The verbs that remove what nobody uses, each alone and all together. */

/** What a prune did: its lines, and the bytes that are free again. */
interface Pruned {
  readonly lines: readonly string[];
  readonly spaceBytes: number;
}

const force = flag.switch({ short: 'f', help: 'Do not prompt for confirmation' });
const untilFilter = { ...filterFlag('Provide filter values (e.g. "until=<timestamp>")'), short: null };
const labelFilter = { ...filterFlag('Provide filter values (e.g. "label=<label>")'), short: null };

export const pruneContainers = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Remove all stopped containers',
  flags: { filter: untilFilter, force },
  max: 0,
  run: ({ flags, context }) =>
    pruneOne(context, {
      isForced: flags.force,
      warning: 'This will remove all stopped containers.',
      prune: () => containersOf(context, flags.filter),
    }),
});

export const pruneNetworks = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Remove all unused networks',
  flags: { filter: untilFilter, force },
  max: 0,
  async run({ flags, context }) {
    const warning = 'This will remove all custom networks not used by at least one container.';
    if (!flags.force && !(await confirm(context, `WARNING! ${warning}`))) return 0;
    await writeLines(context.stdout, (await networksOf(context, flags.filter)).lines);
    return 0;
  },
});

export const pruneVolumes = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Remove unused local volumes',
  flags: {
    all: flag.switch({ short: 'a', help: 'Remove all unused volumes, not just anonymous ones' }),
    filter: labelFilter,
    force,
  },
  max: 0,
  run: ({ flags, context }) => {
    const kind = flags.all ? 'all' : 'anonymous';
    if (flags.all && flags.filter['all']) {
      throw new CommandError('conflicting options: cannot specify both --all and --filter all=1');
    }
    const filters = flags.all ? { ...flags.filter, all: ['true'] } : flags.filter;
    return pruneOne(context, {
      isForced: flags.force,
      warning: `This will remove ${kind} local volumes not used by at least one container.`,
      prune: () => volumesOf(context, filters),
    });
  },
});

export const pruneImages = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Remove unused images',
  flags: {
    all: flag.switch({ short: 'a', help: 'Remove all unused images, not just dangling ones' }),
    filter: untilFilter,
    force,
  },
  max: 0,
  run: ({ flags, context }) =>
    pruneOne(context, {
      isForced: flags.force,
      warning: flags.all
        ? 'This will remove all images without at least one container associated to them.'
        : 'This will remove all dangling images.',
      prune: () => imagesOf(context, flags.filter, flags.all),
    }),
});

export const pruneSystem = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Remove unused data',
  flags: {
    all: flag.switch({ short: 'a', help: 'Remove all unused images not just dangling ones' }),
    filter: { ...filterFlag('Provide filter values (e.g. "label=<key>=<value>")'), short: null },
    force,
    volumes: flag.switch({ help: 'Prune anonymous volumes' }),
  },
  max: 0,
  examples: [['-a --volumes', 'All that no container uses, and the containers that have ended']],
  async run({ flags: { all, filter, force: isForced, volumes }, context }) {
    if (volumes && filter['until']) {
      throw new CommandError('ERROR: The "until" filter is not supported with "--volumes"');
    }
    const warnings = [
      'all stopped containers',
      'all networks not used by at least one container',
      ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
      all ? 'all images without at least one container associated to them' : 'all dangling images',
      all ? 'all build cache' : 'unused build cache',
    ];
    const filters = Object.entries(filter).flatMap(([key, values]) => values.map((value) => `${key}=${value}`));
    const filtered = ['', '  Items to be pruned will be filtered with:', ...filters.map((text) => `  - ${text}`)];
    const lines = [
      'This will remove:',
      ...warnings.map((what) => `  - ${what}`),
      ...(filters.length > 0 ? filtered : []),
    ];
    if (!isForced && !(await confirm(context, `WARNING! ${lines.join('\n')}\n`))) return 0;
    let spaceBytes = 0;
    for (const prune of [
      () => containersOf(context, filter),
      () => networksOf(context, filter),
      ...(volumes ? [() => volumesOf(context, filter)] : []),
      () => imagesOf(context, filter, all),
      () => buildCacheOf(context, filter, all),
    ]) {
      const done = await whereThere(prune, context);
      await writeLines(context.stdout, done.lines);
      spaceBytes += done.spaceBytes;
    }
    await writeLines(context.stdout, [total(spaceBytes)]);
    return 0;
  },
});

async function pruneOne(
  context: Context,
  options: { readonly isForced: boolean; readonly warning: string; readonly prune: () => Promise<Pruned> },
): Promise<number> {
  if (!options.isForced && !(await confirm(context, `WARNING! ${options.warning}`))) return 0;
  const { lines, spaceBytes } = await options.prune();
  await writeLines(context.stdout, [...lines, total(spaceBytes)]);
  return 0;
}

/** An engine that does not know a kind of thing has none of it to remove; that is told, for space may be wanted badly. */
async function whereThere(prune: () => Promise<Pruned>, context: Context): Promise<Pruned> {
  try {
    return await prune();
  } catch (error) {
    if (!(error instanceof EngineError) || error.statusCode !== 501) throw error;
    await writeLines(context.stderr, [`skipped: ${error.message}`]);
    return { lines: [], spaceBytes: 0 };
  }
}

function total(spaceBytes: number): string {
  return `Total reclaimed space: ${formatSize(spaceBytes, 4)}`;
}

function titled(title: string, names: readonly string[] | null | undefined): string[] {
  return names && names.length > 0 ? [title, ...names, ''] : [];
}

async function containersOf({ engine }: Context, filters: Filters): Promise<Pruned> {
  const { ContainersDeleted, SpaceReclaimed } = await engine.containers.prune({ filters });
  return { lines: titled('Deleted Containers:', ContainersDeleted), spaceBytes: SpaceReclaimed };
}

async function networksOf({ engine }: Context, filters: Filters): Promise<Pruned> {
  const { NetworksDeleted } = await engine.networks.prune({ filters });
  return { lines: titled('Deleted Networks:', NetworksDeleted), spaceBytes: 0 };
}

async function volumesOf({ engine }: Context, filters: Filters): Promise<Pruned> {
  const { VolumesDeleted, SpaceReclaimed } = await engine.volumes.prune({ filters });
  return { lines: titled('Deleted Volumes:', VolumesDeleted), spaceBytes: SpaceReclaimed };
}

async function imagesOf({ engine }: Context, filters: Filters, all: boolean): Promise<Pruned> {
  const { ImagesDeleted, SpaceReclaimed } = await engine.images.prune({
    filters: { ...filters, dangling: [String(!all)] },
  });
  const names = ImagesDeleted?.map(({ Deleted, Untagged }) =>
    Deleted === undefined ? `untagged: ${Untagged ?? ''}` : `deleted: ${Deleted}`,
  );
  return { lines: titled('Deleted Images:', names), spaceBytes: SpaceReclaimed };
}

async function buildCacheOf({ engine }: Context, filters: Filters, all: boolean): Promise<Pruned> {
  const { CachesDeleted, SpaceReclaimed } = await engine.pruneBuildCache({ all, filters });
  return { lines: titled('Deleted build cache objects:', CachesDeleted), spaceBytes: SpaceReclaimed };
}
