import { tableLines } from './table.ts';
import { parseRowTemplate } from './template/template.ts';

/** What a list can print of each of its things: the values as text, and the title of each column. */
export interface RowFormat<Field extends string> {
  readonly titles: Readonly<Record<Field, string>>;
  /** Columns of the table that is printed when nothing else is asked for. */
  readonly table: readonly Field[];
  /** The one field of `--quiet`. */
  readonly quiet: Field;
}

/** Where a row keeps the labels of its thing, for `{{.Label "key"}}`. */
export const labelsOf = Symbol('labels');

export type Row<Field extends string> = Readonly<Record<Field, string>> & {
  readonly [labelsOf]?: Readonly<Record<string, string>> | null;
};

export interface RowOptions {
  readonly isQuiet: boolean;
  /** `table`, `json`, `table {{…}}` or a template; undefined: the table. */
  readonly format: string | undefined;
}

export const formatHelp = 'Format output: table, json, a Go template, or table with a template';

/** The lines of a list, in any of docker's forms. */
export function rowLines<Field extends string>(
  format: RowFormat<Field>,
  rows: readonly Row<Field>[],
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
  if (options.format === 'json') return rows.map((row) => rowJson(row));
  if (template !== undefined) return templateTable(format, rows, template);
  const render = parseRowTemplate(options.format);
  return rows.map((row) => render(dataOf(row)));
}

function templateTable<Field extends string>(
  format: RowFormat<Field>,
  rows: readonly Row<Field>[],
  template: string,
): string[] {
  const render = parseRowTemplate(template);
  const lines = rows.map((row) => render(dataOf(row)).split('\t'));
  const header = render.header({ ...format.titles, Label: titleOfLabel }).split('\t');
  return tableLines([header, ...lines]);
}

/** `com.example.some-part` -> `some part`, as docker titles the column of a label. */
function titleOfLabel(name: string): string {
  return (name.split('.').at(-1) ?? '').replaceAll(/[-_]/g, ' ');
}

/** A row as one line of JSON: keys in order, and `<`, `>`, `&` escaped, as Go does. */
export function rowJson(row: Readonly<Record<string, string>>): string {
  return escapeForHtml(JSON.stringify(sorted(row)));
}

export function escapeForHtml(json: string): string {
  return json.replaceAll(/[<>&]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** What a template sees of a row. */
function dataOf(row: Row<string>): object {
  const labels = row[labelsOf];
  return labels === undefined ? sorted(row) : { ...sorted(row), Label: (name: string) => labels?.[name] ?? '' };
}

function sorted(row: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `a=1,b=2`, as the column Labels has it. */
export function labelList(labels: Readonly<Record<string, string>> | null | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
