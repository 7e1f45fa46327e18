import type { Machine } from '../../../provisioners/machines.ts';
import { flag } from '../../flags/flag.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';
import { runOperation } from './operation.ts';

/** The other direction than `mount`: folders of this computer, for containers. */
export const share = defineVerb({
  usage: '[OPTIONS] MACHINE [HOST[:MACHINE][:ro]...]',
  summary: 'List or change which folders of this computer the containers of a machine may bind',
  flags: {
    remove: flag.switch({ help: 'Share them no more' }),
  },
  min: 1,
  offers: ['machine', 'file'],
  examples: [
    ['default', 'What the machine "default" shares'],
    ['default /srv/data:ro', 'Share one more folder, for reading alone'],
    ['--remove default /srv/data', 'Share it no more'],
  ],
  async run({ flags, args: [name = '', ...folders], context }) {
    const machines = await context.machines();
    const change = flags.remove ? { add: [], remove: folders } : { add: folders, remove: [] };
    const machine =
      folders.length === 0
        ? await machines.inspect(name)
        : await runOperation(context, (operation) => machines.share(name, change, operation));
    await writeLines(context.stdout, sharedBy(machine));
    return 0;
  },
});

function sharedBy({ settings }: Machine): readonly string[] {
  const { shares } = settings;
  return Array.isArray(shares) ? shares.map(String) : [];
}
