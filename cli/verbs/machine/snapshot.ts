import type { MachineSnapshot } from '../../../provisioners/machines.ts';
import { flag } from '../../flags/flag.ts';
import { rowLines } from '../../formats/rows.ts';
import type { RowFormat } from '../../formats/rows.ts';
import { formatSize } from '../../formats/sizes.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import { runOperation } from './operation.ts';

type SnapshotField = 'Name' | 'CreatedAt' | 'Size';

const snapshotFormat: RowFormat<SnapshotField> = {
  titles: { Name: 'NAME', CreatedAt: 'CREATED', Size: 'SIZE' },
  table: ['Name', 'CreatedAt', 'Size'],
  quiet: 'Name',
};

const verbs = { create: 'take', restore: 'restore', rm: 'remove' } as const;

function isChange(word: string): word is keyof typeof verbs {
  return Object.hasOwn(verbs, word);
}

export const snapshot = defineVerb({
  usage: 'ls|create|restore|rm MACHINE [SNAPSHOT]',
  summary: 'List, take, restore or remove snapshots of a stopped machine',
  flags: {
    format: flag.text({ help: 'Format the list: table, json, or a Go template' }),
    quiet: flag.switch({ short: 'q', help: 'Only names' }),
  },
  min: 2,
  max: 3,
  offers: [['ls', 'create', 'restore', 'rm'], 'machine', 'nothing'],
  examples: [['create default before-upgrade', 'A snapshot of the machine "default"']],
  async run({ flags, args: [verb = '', machine = '', name], context }) {
    const machines = await context.machines();
    if (verb === 'ls') {
      const rows = (await machines.snapshots(machine)).map(rowOf);
      await writeLines(context.stdout, rowLines(snapshotFormat, rows, { isQuiet: flags.quiet, format: flags.format }));
      return 0;
    }
    if (!isChange(verb))
      throw new CommandError(`"${verb}" is nothing to do with a snapshot: ls, create, restore or rm`);
    if (name === undefined) throw new CommandError(`Which snapshot? skiff machine snapshot ${verb} ${machine} NAME`);
    const change = { verb: verbs[verb], snapshot: name };
    await runOperation(context, (operation) => machines.changeSnapshot(machine, change, operation));
    await writeLines(context.stdout, [name]);
    return 0;
  },
});

function rowOf({ name, createdAt, sizeBytes }: MachineSnapshot): Record<SnapshotField, string> {
  return { Name: name, CreatedAt: createdAt, Size: sizeBytes === null ? 'N/A' : formatSize(sizeBytes) };
}
