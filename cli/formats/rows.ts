import { CommandError } from '../usage-error.ts';
import { tableLines } from './table.ts';
import { parseTemplate, templateFields } from './template.ts';

/** What a list can print of each of its things: the values as text, and the title of each column. */
export interface RowFormat<Field extends string> {
  readonly titles: Readonly<Record<Field, string>>;
  /** Columns of the table that is printed when nothing else is asked for. */
  readonly table: readonly Field[];
  /** The one field of `--quiet`. */
  readonly quiet: Field;
}

export interface RowOptions {
  readonly isQuiet: boolean;
  /** `table`, `json`, `table {{…}}` or a template; undefined: the table. */
  readonly format: string | undefined;
}

/** The lines of a list, in any of docker's forms. */
export function rowLines<Field extends string>(
  format: RowFormat<Field>,
  rows: readonly Readonly<Record<Field, string>>[],
  options: RowOptions,
): string[] {
  if (options.isQuiet && (options.format ?? 'table') === 'table') return rows.map((row) => row[format.quiet]);
  const [, template] = /^table\s+(.*)$/s.exec(options.format ?? '') ?? [];
  if (options.format === undefined || options.format === 'table') {
    return tableLines([
      format.table.map((field) => format.titles[field]),
      ...rows.map((row) => format.table.map((field) => row[field])),
    ]);
  }
  if (options.format === 'json') return rows.map((row) => jsonLine(row));
  if (template !== undefined) return templateTable(format, rows, template);
  const render = parseTemplate(options.format);
  return rows.map((row) => render(withSortedKeys(row)));
}

function templateTable<Field extends string>(
  format: RowFormat<Field>,
  rows: readonly Readonly<Record<Field, string>>[],
  template: string,
): string[] {
  const unknown = templateFields(template).find((field) => !Object.hasOwn(format.titles, field));
  if (unknown !== undefined) {
    const known = Object.keys(format.titles).sort().join(', ');
    throw new CommandError(`failed to execute template: no field ${unknown}; there are: ${known}`);
  }
  const render = parseTemplate(template);
  const cells = (values: Readonly<Record<Field, string>>): string[] => render(values).split('\t');
  return tableLines([cells(format.titles), ...rows.map(cells)]);
}

function jsonLine(row: Readonly<Record<string, string>>): string {
  return JSON.stringify(withSortedKeys(row));
}

/** Go prints the keys of a map in order. */
function withSortedKeys(row: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
}
