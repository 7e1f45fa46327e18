import type { SkiffSnapshot } from '../../../api/skiff.ts';
import { flag } from '../../flags/flag.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import type { Row, RowFormat } from '../../formats/rows.ts';
import { formatSize } from '../../formats/sizes.ts';
import { formatMoment, humanDuration } from '../../formats/times.ts';
import { writeLines } from '../../report.ts';
import { ofSkiffEngine } from '../../skiff-engine.ts';
import { defineVerb } from '../../verb.ts';

type SnapshotField = 'Comment' | 'CreatedAt' | 'CreatedSince' | 'ID' | 'Name' | 'Size';

const snapshotFormat: RowFormat<SnapshotField> = {
  titles: {
    Comment: 'COMMENT',
    CreatedAt: 'CREATED AT',
    CreatedSince: 'CREATED',
    ID: 'SNAPSHOT ID',
    Name: 'NAME',
    Size: 'SIZE',
  },
  table: ['Name', 'ID', 'CreatedSince', 'Size', 'Comment'],
  quiet: 'Name',
};

export const ls = defineVerb({
  usage: '[OPTIONS] CONTAINER',
  summary: 'List the snapshots of a container',
  flags: {
    format: flag.text({ help: formatHelp }),
    noTrunc: flag.switch({ help: "Don't truncate output" }),
    quiet: flag.switch({ short: 'q', help: 'Only show names' }),
  },
  min: 1,
  max: 1,
  offers: ['container'],
  async run({ flags: { format, noTrunc, quiet }, args: [container = ''], context }) {
    const all = await ofSkiffEngine('container snapshot', context.engine.skiff.snapshots.list(container));
    const rows = all.map((one) => rowOf(one, { isWhole: noTrunc, nowMs: context.nowMs() }));
    await writeLines(context.stdout, rowLines(snapshotFormat, rows, { isQuiet: quiet, format }));
    return 0;
  },
});

function rowOf(
  { id, name, comment, createdAt, sizeBytes }: SkiffSnapshot,
  { isWhole, nowMs }: { readonly isWhole: boolean; readonly nowMs: number },
): Row<SnapshotField> {
  const createdMs = Date.parse(createdAt);
  return {
    Comment: comment,
    CreatedAt: formatMoment(new Date(createdMs)),
    CreatedSince: `${humanDuration(nowMs - createdMs)} ago`,
    ID: isWhole ? id : id.slice(0, 12),
    Name: name,
    Size: formatSize(sizeBytes),
  };
}
