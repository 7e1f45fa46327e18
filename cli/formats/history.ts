import type { HistoryItem } from '../../api/images.ts';
import type { Row, RowFormat } from './rows.ts';
import { formatSize } from './sizes.ts';
import { formatNanos, humanDuration } from './times.ts';

type HistoryField = 'Comment' | 'CreatedAt' | 'CreatedBy' | 'CreatedSince' | 'ID' | 'Size';

const titles = {
  Comment: 'COMMENT',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  CreatedSince: 'CREATED',
  ID: 'IMAGE',
  Size: 'SIZE',
} as const;

/** For people with ages, else with moments. */
export function historyFormat(isHuman: boolean): RowFormat<HistoryField> {
  const when = isHuman ? 'CreatedSince' : 'CreatedAt';
  return { titles, table: ['ID', when, 'CreatedBy', 'Size', 'Comment'], quiet: 'ID' };
}

const shortInstruction = 45;

export function historyRow(
  item: HistoryItem,
  options: { readonly isHuman: boolean; readonly length: 'short' | 'full'; readonly nowMs: number },
): Row<HistoryField> {
  const by = item.CreatedBy.replaceAll('\t', ' ');
  const letters = [...by];
  const isCut = options.length === 'short' && letters.length > shortInstruction;
  const createdAt = formatNanos(`${item.Created}000000000`).replace(/\.000000000/, '');
  const never = item.Created === 0;
  return {
    Comment: item.Comment,
    CreatedAt: createdAt,
    CreatedBy: isCut ? `${letters.slice(0, shortInstruction - 1).join('')}…` : by,
    CreatedSince: !options.isHuman
      ? createdAt
      : never
        ? 'N/A'
        : `${humanDuration(options.nowMs - item.Created * 1000)} ago`,
    ID: options.length === 'short' ? item.Id.replace(/^sha256:/, '').slice(0, 12) : item.Id,
    Size: options.isHuman ? formatSize(item.Size) : String(item.Size),
  };
}
