import type { UpdateContainerBody } from '../../../api/containers.ts';
import { parseCpus, parseRestartPolicy, parseSwap, parseWeight } from '../../container-spec/limits.ts';
import { flag } from '../../flags/flag.ts';
import { parseMemory } from '../../formats/sizes.ts';
import { describeError, forEachName, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const rename = defineVerb({
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  flags: {},
  min: 2,
  max: 2,
  offers: ['container', 'nothing'],
  async run({ args, context }) {
    const [oldName = '', newName = ''] = args.map((arg) => arg.trim());
    if (oldName === '' || newName === '') throw new CommandError('Error: Neither old nor new names may be empty');
    try {
      await context.engine.containers.rename(oldName, newName);
    } catch (error) {
      await writeLines(context.stderr, [describeError(error)]);
      throw new CommandError(`Error: failed to rename container named ${oldName}`, { cause: error });
    }
    return 0;
  },
});

export const update = defineVerb({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Update configuration of one or more containers',
  flags: {
    blkioWeight: flag.value(
      {
        help: 'Block IO (relative weight), between 10 and 1000, or 0 to disable',
        placeholder: 'uint16',
        standard: '0',
      },
      'uint16',
      parseWeight,
    ),
    cpuPeriod: flag.integer({ help: 'Limit CPU CFS (Completely Fair Scheduler) period' }),
    cpuQuota: flag.integer({ help: 'Limit CPU CFS (Completely Fair Scheduler) quota' }),
    cpuRtPeriod: flag.integer({ help: 'Limit the CPU real-time period in microseconds' }),
    cpuRtRuntime: flag.integer({ help: 'Limit the CPU real-time runtime in microseconds' }),
    cpuShares: flag.integer({ short: 'c', help: 'CPU shares (relative weight)' }),
    cpus: flag.value({ help: 'Number of CPUs' }, 'decimal', parseCpus),
    cpusetCpus: flag.text({ help: 'CPUs in which to allow execution (0-3, 0,1)' }),
    cpusetMems: flag.text({ help: 'MEMs in which to allow execution (0-3, 0,1)' }),
    memory: flag.value({ short: 'm', help: 'Memory limit' }, 'bytes', parseMemory),
    memoryReservation: flag.value({ help: 'Memory soft limit' }, 'bytes', parseMemory),
    memorySwap: flag.value(
      { help: 'Swap limit equal to memory plus swap: -1 to enable unlimited swap' },
      'bytes',
      (text) => parseSwap(text, parseMemory),
    ),
    pidsLimit: flag.integer({ help: 'Tune container pids limit (set -1 for unlimited)' }),
    restart: flag.value({ help: 'Restart policy to apply when a container exits' }, 'string', parseRestartPolicy),
  },
  min: 1,
  offers: ['container'],
  examples: [
    ['--memory 512m --memory-swap 512m web', 'Another limit for a running container'],
    ['--restart unless-stopped web', 'Started again whenever it ends'],
  ],
  async run({ flags, args, context }) {
    const body = bodyOf({
      BlkioWeight: flags.blkioWeight,
      CpuPeriod: flags.cpuPeriod,
      CpuQuota: flags.cpuQuota,
      CpuRealtimePeriod: flags.cpuRtPeriod,
      CpuRealtimeRuntime: flags.cpuRtRuntime,
      CpuShares: flags.cpuShares,
      CpusetCpus: flags.cpusetCpus,
      CpusetMems: flags.cpusetMems,
      Memory: flags.memory,
      MemoryReservation: flags.memoryReservation,
      MemorySwap: flags.memorySwap,
      NanoCpus: flags.cpus,
      PidsLimit: flags.pidsLimit,
      RestartPolicy: flags.restart,
    });
    if (Object.keys(body).length === 0) {
      throw new CommandError('you must provide one or more flags when using this command');
    }
    const warnings: string[] = [];
    const exitCode = await forEachName(args, context, async (name) => {
      warnings.push(...(await context.engine.containers.update(name, body)));
    });
    await writeLines(context.stderr, warnings);
    return exitCode;
  },
});

/** What was given, and nothing else: a field that is there changes the container. */
function bodyOf(fields: {
  readonly [K in keyof UpdateContainerBody]: UpdateContainerBody[K] | undefined;
}): UpdateContainerBody {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
