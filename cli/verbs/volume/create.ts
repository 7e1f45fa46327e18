import { parseLabels } from '../../container-spec/environment.ts';
import { flag } from '../../flags/flag.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const create = defineVerb({
  usage: '[OPTIONS] [VOLUME]',
  summary: 'Create a volume',
  flags: {
    driver: flag.text({ short: 'd', help: 'Specify volume driver name', standard: '"local"' }),
    label: flag.list({ help: 'Set metadata for a volume' }),
    name: flag.hidden(flag.text({ help: 'Specify volume name' })),
    opt: flag.map({ short: 'o', help: 'Set driver specific options' }),
  },
  max: 1,
  // Volumes of a swarm's storage plugins.
  missing: [
    'availability',
    'group',
    'limit-bytes',
    'required-bytes',
    'scope',
    'secret',
    'sharing',
    'topology-preferred',
    'topology-required',
    'type',
  ],
  examples: [
    ['data', 'A volume that outlives containers'],
    ['-o type=tmpfs -o device=tmpfs -o o=size=100m scratch', 'One in memory'],
  ],
  async run({ flags: { driver, label, name, opt }, args: [volume], context }) {
    if (name !== undefined && volume !== undefined) {
      throw new CommandError(
        'conflicting options: cannot specify a volume name through both --name and as a positional arg',
      );
    }
    const { Name } = await context.engine.volumes.create({
      Name: volume ?? name ?? '',
      Driver: driver ?? 'local',
      DriverOpts: opt,
      Labels: parseLabels(label),
    });
    await writeLines(context.stdout, [Name]);
    return 0;
  },
});
